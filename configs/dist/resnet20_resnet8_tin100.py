_base_ = ['../_base_/pairs/resnet20_resnet8_tin100.py', '../_base_/methods/dist.py']
model = dict(methods=dict(dist={{_base_.dist}}))
