_base_ = ['mmpretrain::resnet/resnet18_8xb32_in1k.py', '../distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmpretrain::resnet/resnet34_8xb32_in1k.py',
        checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
        'resnet34_8xb32_in1k_20210831-f257d4e6.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(weight=0.1, stop=49, source="pair's"),
    kd=dict(
        loss=dict(type='KLDivergenceLoss', tau=1.0),
        weight=0.5,
        task_weight=0.5,
        source="pair's"),
    dist=dict(
        loss=dict(type='DISTLoss', beta=2.0, gamma=2.0, tau=1.0),
        source="pair's"),
    dkd=dict(
        loss=dict(type='DKDLoss', alpha=1.0, beta=0.5, tau=1.0), warmup=1),
    # Both networks' maps before the last ReLU of a stage, as in ReviewKD's code.
    reviewkd=dict(
        weight=1.0,
        warmup=1,
        stages=[
            dict(path=f'backbone.layer{stage}.1.relu', kind='input', call=1)
            for stage in (1, 2, 3, 4)
        ],
        teacher_stages=[
            dict(path=f'backbone.layer{stage}.{block}.relu', kind='input', call=1)
            for stage, block in ((1, 2), (2, 3), (3, 5), (4, 2))
        ]))
