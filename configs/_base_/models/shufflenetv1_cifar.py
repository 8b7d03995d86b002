_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(type='mmkd.ShuffleNetV1CIFAR'),
    head=dict(in_channels=960, init_cfg=None))
