_base_ = ['../_base_/pairs/pspnet_r18_cityscapes.py', '../_base_/methods/mhkd.py']
model = dict(methods=dict(
    kd=_base_.kd | _base_.settings.kd,
    multi_head={{_base_.multi_head}}))
