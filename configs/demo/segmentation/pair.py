# The methods have the largest weights that the student tolerates at this learning rate;
# MHKD's heads are narrow, for two CPU cores.
_base_ = ['./student.py', '../../_base_/distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(
        config='mmkd::demo/segmentation/teacher.py',
        checkpoint='work_dirs/demo/segmentation/teacher/iter_600.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
optim_wrapper = _base_.distill_optim_wrapper
settings = dict(
    dual_head=dict(weight=0.03, source="pair's"),
    kd=dict(weight=0.5, task_weight=0.5, source="pair's"),
    multi_head=dict(head=dict(type='ConvClassifier', channels=32), source="pair's"))
