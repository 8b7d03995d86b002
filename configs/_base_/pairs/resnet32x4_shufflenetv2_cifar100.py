_base_ = ['../../students/shufflenetv2_cifar100.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/resnet32x4_cifar100.py',
        checkpoint='work_dirs/resnet32x4_cifar100/epoch_240.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(
        head=dict(type='MLPClassifier'), gradient_alignment=True,
        source="pair's"),
    # Feature maps as in the published code, the teacher's before their ReLU.
    reviewkd=dict(
        weight=8.0,
        teacher_stages=[
            dict(path=f'backbone.layer{stage}.4.relu', kind='input', call=1)
            for stage in (1, 2, 3)
        ],
        source="pair's"))
