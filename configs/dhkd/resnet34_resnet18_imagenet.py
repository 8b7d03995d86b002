_base_ = [
    'mmpretrain::resnet/resnet18_8xb32_in1k.py', '../_base_/distill.py'
]
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='mmpretrain::resnet/resnet34_8xb32_in1k.py',
        checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
        'resnet34_8xb32_in1k_20210831-f257d4e6.pth'),
    methods=dict(
        dual_head=dict(
            type='DualHead',
            head=dict(type='LinearClassifier'),
            loss=dict(type='BinaryKLNormLoss', tau=2.0),
            loss_weight=0.1)))
custom_hooks = [
    dict(type='mmkd.TrainingGuardHook'),
    dict(type='mmkd.ExportStudentHook'),
    dict(
        type='mmkd.DistillScheduleHook', schedules=dict(dual_head=dict(stop=50)))
]
