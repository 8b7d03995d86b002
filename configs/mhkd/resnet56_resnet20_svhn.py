_base_ = ['../_base_/pairs/resnet56_resnet20_svhn.py', '../_base_/methods/mhkd.py']
model = dict(methods=dict(
    kd={{_base_.kd}},
    multi_head=_base_.multi_head | _base_.settings.multi_head))
