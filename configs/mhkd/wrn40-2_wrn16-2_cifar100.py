_base_ = '../kd/wrn40-2_wrn16-2_cifar100.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=0.5)))
