_base_ = ['../../students/resnet20_svhn.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/resnet56_svhn.py',
        checkpoint='work_dirs/resnet56_svhn/epoch_150.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(multi_head=dict(weight=5.0, source="pair's"))
