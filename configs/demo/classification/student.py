_base_ = './teacher.py'
model = dict(
    backbone=dict(stem_channels=2, base_channels=2),
    head=dict(in_channels=8))
default_hooks = dict(layout=dict(type='mmkd.ChannelsLastHook'))
