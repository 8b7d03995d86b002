_base_ = '../teachers/deeplabv3-w48_camvid.py'
model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    decode_head=dict(in_channels=128, channels=32))
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, end=2500, by_epoch=False)
]
train_cfg = dict(max_iters=2500, val_interval=500)
