# With the schedule of the companions' published results.
_base_ = [
    '../../students/deeplabv3_r18_40k_cityscapes.py', '../distill.py',
    '../per_pixel.py'
]
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmseg::deeplabv3/'
        'deeplabv3_r101-d8_4xb2-40k_cityscapes-512x1024.py',
        checkpoint='https://mmassets.onedl.ai/mmsegmentation/v0.5/'
        'deeplabv3/deeplabv3_r101-d8_512x1024_40k_cityscapes/deeplabv3_r101-d8_'
        '512x1024_40k_cityscapes_20200605_012241-7fd3f799.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    # As in CIRKD's code: task loss and KD without temperature have weight 1.
    kd=dict(
        loss=dict(type='KLDivergenceLoss', tau=1.0),
        weight=1.0,
        task_weight=1.0,
        source='published'))
