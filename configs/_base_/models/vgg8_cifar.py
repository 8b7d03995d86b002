_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(type='mmkd.VGGCIFAR', depth=8),
    head=dict(
        in_channels=512, init_cfg=dict(type='Normal', layer='Linear', std=0.01)))
