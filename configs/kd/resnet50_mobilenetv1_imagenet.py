_base_ = ['../students/mobilenetv1_imagenet.py', '../_base_/distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='mmpretrain::resnet/resnet50_8xb32_in1k.py',
        checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
        'resnet50_8xb32_in1k_20210831-ea4938fc.pth'),
    methods=dict(
        kd=dict(
            type='LogitsKD',
            alpha=0.5,
            loss=dict(type='KLDivergenceLoss', tau=1.0))))
