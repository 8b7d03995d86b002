_base_ = ['../_base_/models/resnet32x4_cifar.py',
          '../_base_/datasets/tin100.py',
          '../_base_/schedules/cifar_240e.py',
          '../_base_/classification_runtime.py']
param_scheduler = dict(milestones=[10, 13, 15])
train_cfg = dict(max_epochs=16)
default_hooks = dict(
    checkpoint=dict(interval=1), layout=dict(type='mmkd.ChannelsLastHook'))
