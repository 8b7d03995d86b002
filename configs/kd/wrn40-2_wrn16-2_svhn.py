_base_ = ['../students/wrn16-2_svhn.py', '../_base_/distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='{{fileDirname}}/../teachers/wrn40-2_svhn.py',
        checkpoint='work_dirs/wrn40-2_svhn/epoch_150.pth'),
    methods=dict(kd=dict(type='LogitsKD', alpha=0.9)))
