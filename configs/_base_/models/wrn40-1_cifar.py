_base_ = './wrn16-1_cifar.py'
model = dict(backbone=dict(depth=40))
