# Both methods on one student: heads after three stages and next to the classifier.
_base_ = ['../_base_/pairs/resnet32x4_resnet8x4_cifar100.py',
          '../_base_/methods/mhkd.py',
          '../_base_/methods/dhkd.py']
model = dict(methods=dict(
    kd={{_base_.kd}},
    multi_head={{_base_.multi_head}},
    dual_head=_base_.dual_head | _base_.settings.dual_head))
