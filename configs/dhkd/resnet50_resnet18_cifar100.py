# MMPretrain's own CIFAR ResNets and teacher checkpoint, with Dual-Head KD's schedule.
_base_ = ['../_base_/pairs/resnet50_resnet18_cifar100.py', '../_base_/methods/dhkd.py']
model = dict(methods=dict(
    dual_head=_base_.dual_head | _base_.settings.dual_head))
