_base_ = '../kd/vgg13_mobilenetv2_cifar100.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=0.5)))
