_base_ = ['../../students/wrn40-1_cifar100.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/wrn40-2_cifar100.py',
        checkpoint='work_dirs/wrn40-2_cifar100/epoch_240.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    # Initialised like the student's own classifier, as published.
    dual_head=dict(
        head=dict(type='LinearClassifier', init_cfg=_base_.model.head.init_cfg),
        gradient_alignment=True,
        source="pair's"),
    # Feature maps as in the published code, the teacher's before their ReLU.
    reviewkd=dict(
        teacher_stages=[
            'backbone.layer2.0.bn1', 'backbone.layer3.0.bn1', 'backbone.tail.0'
        ]))
