_base_ = '../kd/resnet110_resnet20_cifar100.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=0.5)))
