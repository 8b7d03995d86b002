_base_ = '../kd/mobilenetv2_vgg13_svhn.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=5.0)))
