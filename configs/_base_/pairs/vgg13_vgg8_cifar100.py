_base_ = ['../../students/vgg8_cifar100.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/vgg13_cifar100.py',
        checkpoint='work_dirs/vgg13_cifar100/epoch_240.pth'))
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(gradient_alignment=True, source="pair's"),
    dkd=dict(loss=dict(type='DKDLoss', alpha=1.0, beta=6.0, tau=4.0), source="pair's"))
