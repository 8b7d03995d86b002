_base_ = ['../_base_/pairs/shufflenetv2_resnet32x4_svhn.py', '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
