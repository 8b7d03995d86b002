_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(type='ResNet_CIFAR', depth=50, zero_init_residual=False),
    head=dict(in_channels=2048, init_cfg=None))
