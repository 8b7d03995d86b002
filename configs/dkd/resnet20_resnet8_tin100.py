_base_ = '../kd/resnet20_resnet8_tin100.py'
model = dict(
    methods=dict(
        _delete_=True,
        dkd=dict(
            type='DKD',
            loss=dict(type='DKDLoss', alpha=1.0, beta=8.0, tau=4.0))))
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmkd.DistillScheduleHook', schedules=dict(dkd=dict(warmup=1)))
]
