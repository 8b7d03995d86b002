_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(type='mmkd.MobileNetV2CIFAR', widen_factor=0.5),
    head=dict(
        in_channels=1280, init_cfg=dict(type='Normal', layer='Linear', std=0.01)))
