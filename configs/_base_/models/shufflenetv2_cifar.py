_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(type='mmkd.ShuffleNetV2CIFAR'),
    head=dict(in_channels=1024, init_cfg=None))
