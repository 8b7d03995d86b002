_base_ = ['../../students/mobilenetv1_imagenet.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmpretrain::resnet/resnet50_8xb32_in1k.py',
        checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
        'resnet50_8xb32_in1k_20210831-ea4938fc.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(
        head=dict(type='MLPClassifier'), weight=0.1, stop=49,
        source="pair's"),
    kd=dict(
        loss=dict(type='KLDivergenceLoss', tau=1.0),
        weight=0.5,
        task_weight=0.5,
        source="pair's"),
    dist=dict(
        loss=dict(type='DISTLoss', beta=2.0, gamma=2.0, tau=1.0),
        source="pair's"),
    dkd=dict(
        loss=dict(type='DKDLoss', alpha=1.0, beta=2.0, tau=1.0), warmup=1),
    reviewkd=dict(weight=8.0, warmup=1, max_channels=256))
