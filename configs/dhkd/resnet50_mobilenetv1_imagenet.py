_base_ = '../kd/resnet50_mobilenetv1_imagenet.py'
model = dict(
    methods=dict(
        _delete_=True,
        dual_head=dict(
            type='DualHead',
            head=dict(type='MLPClassifier'),
            loss=dict(type='BinaryKLNormLoss', tau=2.0),
            loss_weight=0.1)))
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmkd.DistillScheduleHook', schedules=dict(dual_head=dict(stop=50)))
]
