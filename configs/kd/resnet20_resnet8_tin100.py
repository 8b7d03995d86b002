_base_ = ['../_base_/pairs/resnet20_resnet8_tin100.py', '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
