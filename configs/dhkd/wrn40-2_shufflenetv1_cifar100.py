_base_ = ['../_base_/pairs/wrn40-2_shufflenetv1_cifar100.py',
          '../_base_/methods/dhkd.py']
model = dict(methods=dict(
    dual_head=_base_.dual_head | _base_.settings.dual_head))
