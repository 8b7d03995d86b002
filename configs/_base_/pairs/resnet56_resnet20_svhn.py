_base_ = ['../../students/resnet20_svhn.py', '../distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/resnet56_svhn.py',
        checkpoint='work_dirs/resnet56_svhn/epoch_150.pth'),
    methods=dict())
default_hooks = _base_.distill_hooks
optim_wrapper = dict(constructor='mmkd.DistillOptimWrapperConstructor')
# What methods need differently on this pair, by the name of the method.
settings = dict(
    multi_head=dict(
        weight=5.0,
        source="pair's"))
