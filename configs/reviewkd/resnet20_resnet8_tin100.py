_base_ = '../kd/resnet20_resnet8_tin100.py'
model = dict(
    methods=dict(
        _delete_=True, review=dict(type='ReviewKD', loss_weight=5.0)))
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmkd.DistillScheduleHook', schedules=dict(review=dict(warmup=1)))
]
