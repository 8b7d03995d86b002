_base_ = '../kd/vgg13_vgg8_svhn.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=5.0)))
