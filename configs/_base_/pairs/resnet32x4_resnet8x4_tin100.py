# A short pair of the networks that most papers compare methods on.
_base_ = ['../../students/resnet8x4_tin100.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/resnet32x4_tin100.py',
        checkpoint='work_dirs/resnet32x4_tin100/epoch_16.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(gradient_alignment=True, source="pair's"),
    # Feature maps as in the published code, the teacher's before their ReLU.
    reviewkd=dict(
        warmup=1,
        teacher_stages=[
            dict(path=f'backbone.layer{stage}.4.relu', kind='input', call=1)
            for stage in (1, 2, 3)
        ],
        source="pair's"),
    dkd=dict(warmup=1, source="pair's"))
