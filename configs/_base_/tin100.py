# The CIFAR schedule on Tiny ImageNet, in lengths for CPUs.
_base_ = [
    './datasets/tin100.py', './schedules/cifar_240e.py', './classification_runtime.py'
]
default_hooks = dict(
    checkpoint=dict(interval=1), layout=dict(type='mmkd.ChannelsLastHook'))
