_base_ = '../kd/shufflenetv2_resnet32x4_svhn.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=5.0)))
