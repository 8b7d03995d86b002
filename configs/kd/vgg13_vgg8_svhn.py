_base_ = ['../students/vgg8_svhn.py', '../_base_/distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='{{fileDirname}}/../teachers/vgg13_svhn.py',
        checkpoint='work_dirs/vgg13_svhn/epoch_150.pth'),
    methods=dict(kd=dict(type='LogitsKD', alpha=0.9)))
