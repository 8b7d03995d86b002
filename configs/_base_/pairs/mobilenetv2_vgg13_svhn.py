_base_ = ['../../students/vgg13_svhn.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/mobilenetv2_svhn.py',
        checkpoint='work_dirs/mobilenetv2_svhn/epoch_150.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    multi_head=dict(weight=5.0, source="pair's"),
    # Initialised like the student's own classifier.
    dual_head=dict(
        head=dict(type='LinearClassifier', init_cfg=_base_.model.head.init_cfg),
        source="pair's"))
