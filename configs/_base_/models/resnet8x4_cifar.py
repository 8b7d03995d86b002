_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(
        type='mmkd.ResNetCIFAR', depth=8, stem_channels=32, base_channels=64),
    head=dict(in_channels=256, init_cfg=None))
