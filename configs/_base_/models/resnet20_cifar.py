_base_ = './resnet8_cifar.py'
model = dict(backbone=dict(depth=20))
