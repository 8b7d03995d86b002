_base_ = ['../_base_/pairs/deeplabv3_r18_cityscapes.py', '../_base_/methods/dhkd.py']
model = dict(methods=dict(dual_head={{_base_.dual_head}}))
