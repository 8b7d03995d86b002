_base_ = ['../../students/resnet20_cifar100.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/resnet56_cifar100.py',
        checkpoint='work_dirs/resnet56_cifar100/epoch_240.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(gradient_alignment=True, source="pair's"),
    # Feature maps as in the published code, the teacher's before their ReLU.
    reviewkd=dict(
        weight=0.6,
        teacher_stages=[
            dict(path=f'backbone.layer{stage}.8.relu', kind='input', call=1)
            for stage in (1, 2, 3)
        ],
        source="pair's"))
