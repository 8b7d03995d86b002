# Task loss, KD and this method are added in full, as in RepDistiller.
_base_ = ['../_base_/pairs/resnet32x4_shufflenetv2_cifar100.py',
          '../_base_/methods/rkd.py']
model = dict(methods=dict(
    kd=dict(type='LogitsKD', loss=dict(type='KLDivergenceLoss', tau=4.0), weight=1.0),
    rkd={{_base_.rkd}}))
