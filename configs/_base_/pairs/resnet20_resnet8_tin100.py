# A short pair of two small networks, for CPUs.
_base_ = ['../../students/resnet8_tin100.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/resnet20_tin100.py',
        checkpoint='work_dirs/resnet20_tin100/epoch_16.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(gradient_alignment=True, source="pair's"),
    multi_head=dict(head=dict(type='ConvClassifier', channels=32), source="pair's"),
    reviewkd=dict(warmup=1, source="pair's"),
    dkd=dict(warmup=1, source="pair's"))
