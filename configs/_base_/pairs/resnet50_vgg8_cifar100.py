_base_ = ['../../students/vgg8_cifar100.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/resnet50_cifar100.py',
        checkpoint='work_dirs/resnet50_cifar100/epoch_240.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    # Initialised like the student's own classifier, as published.
    dual_head=dict(
        head=dict(type='MLPClassifier', init_cfg=_base_.model.head.init_cfg),
        gradient_alignment=True,
        source="pair's"),
    # Feature maps as in the published code, the teacher's before their ReLU.
    reviewkd=dict(
        stages=[f'backbone.layer{stage}' for stage in (2, 3, 4, 5)],
        teacher_stages=[
            dict(path=f'backbone.layer{stage}.{block}.relu', kind='input', call=2)
            for stage, block in ((1, 2), (2, 3), (3, 5), (4, 2))
        ],
        source="weight a guess"))
