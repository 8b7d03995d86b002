_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(type='mmkd.ResNetCIFAR', depth=8),
    head=dict(in_channels=64, init_cfg=None))
