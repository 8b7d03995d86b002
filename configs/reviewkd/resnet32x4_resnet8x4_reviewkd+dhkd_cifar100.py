_base_ = '../dhkd/resnet32x4_resnet8x4_cifar100.py'
model = dict(
    methods=dict(review=dict(type='ReviewKD', loss_weight=5.0)))
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmkd.DistillScheduleHook', schedules=dict(review=dict(warmup=20)))
]
