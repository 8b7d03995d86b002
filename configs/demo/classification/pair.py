_base_ = ['./student.py', '../../_base_/distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::demo/classification/teacher.py',
        checkpoint='work_dirs/demo/classification/teacher/epoch_30.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    multi_head=dict(head=dict(type='ConvClassifier', channels=32), source="pair's"))
