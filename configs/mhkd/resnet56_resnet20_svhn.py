_base_ = '../kd/resnet56_resnet20_svhn.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=5.0)))
