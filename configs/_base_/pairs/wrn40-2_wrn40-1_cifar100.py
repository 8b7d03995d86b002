_base_ = ['../../students/wrn40-1_cifar100.py', '../distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/wrn40-2_cifar100.py',
        checkpoint='work_dirs/wrn40-2_cifar100/epoch_240.pth'),
    methods=dict())
default_hooks = _base_.distill_hooks
optim_wrapper = dict(constructor='mmkd.DistillOptimWrapperConstructor')
# What methods need differently on this pair, by the name of the method.
settings = dict(
    dual_head=dict(
        gradient_alignment=True,
        source="pair's"))
