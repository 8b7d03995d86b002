_base_ = ['../students/resnet32x4_svhn.py', '../_base_/distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='{{fileDirname}}/../teachers/shufflenetv2_svhn.py',
        checkpoint='work_dirs/shufflenetv2_svhn/epoch_150.pth'),
    methods=dict(kd=dict(type='LogitsKD', alpha=0.9)))
