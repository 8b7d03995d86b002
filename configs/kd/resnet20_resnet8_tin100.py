# A short pair of two small networks, for a processor.
_base_ = ['../students/resnet8_tin100.py', '../_base_/distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='{{fileDirname}}/../teachers/resnet20_tin100.py',
        checkpoint='work_dirs/resnet20_tin100/epoch_16.pth'),
    methods=dict(kd=dict(type='LogitsKD', alpha=0.9)))
