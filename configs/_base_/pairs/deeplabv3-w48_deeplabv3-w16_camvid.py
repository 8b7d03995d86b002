_base_ = [
    '../../students/deeplabv3-w16_camvid.py', '../distill.py', '../per_pixel.py'
]
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::teachers/deeplabv3-w48_camvid.py',
        checkpoint='work_dirs/deeplabv3-w48_camvid/iter_4000.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(multi_head=dict(
    head=dict(type='ConvClassifier', channels=32), source="pair's"))
