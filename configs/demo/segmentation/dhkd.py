_base_ = ['./student.py', '../../_base_/distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::demo/segmentation/teacher.py',
        checkpoint='work_dirs/demo/segmentation/teacher/iter_900.pth'),
    methods=dict(
        dual_head=dict(
            type='DualHead',
            head=dict(type='LinearClassifier'),
            loss=dict(type='BinaryKLNormLoss', tau=2.0),
            weight=0.03)))
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
