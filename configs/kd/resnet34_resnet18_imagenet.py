_base_ = ['mmpretrain::resnet/resnet18_8xb32_in1k.py', '../_base_/distill.py']
model = dict(
    _delete_=True,
    type='mmkd.Distiller',
    student={{_base_.model}},
    teacher=dict(
        config='mmpretrain::resnet/resnet34_8xb32_in1k.py',
        checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
        'resnet34_8xb32_in1k_20210831-f257d4e6.pth'),
    methods=dict(
        kd=dict(
            type='LogitsKD',
            alpha=0.5,
            loss=dict(type='KLDivergenceLoss', tau=1.0))))
