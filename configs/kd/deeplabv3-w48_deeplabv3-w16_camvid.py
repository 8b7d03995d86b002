_base_ = [
    '../students/deeplabv3-w16_camvid.py', '../_base_/distill.py'
]
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='{{fileDirname}}/../teachers/deeplabv3-w48_camvid.py',
        checkpoint='work_dirs/deeplabv3-w48_camvid/iter_4000.pth'),
    methods=dict(kd=dict(type='LogitsKD', alpha=0.5)))
