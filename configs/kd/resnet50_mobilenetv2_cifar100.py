_base_ = ['../students/mobilenetv2_cifar100.py', '../_base_/distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='{{fileDirname}}/../teachers/resnet50_cifar100.py',
        checkpoint='work_dirs/resnet50_cifar100/epoch_240.pth'),
    methods=dict(kd=dict(type='LogitsKD', alpha=0.9)))
