# The teacher with a quarter of its width.
_base_ = './teacher.py'
model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    decode_head=dict(in_channels=[16, 16, 16, 16], channels=16))
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4))
param_scheduler = dict(end=500)
train_cfg = dict(max_iters=500, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=500), layout=dict(type='mmkd.ChannelsLastHook'))
