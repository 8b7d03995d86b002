_base_ = ['../_base_/pairs/wrn40-2_wrn16-2_cifar100.py', '../_base_/methods/dhkd.py']
model = dict(methods=dict(
    dual_head=_base_.dual_head | _base_.settings.dual_head))
