_base_ = ['../_base_/pairs/vgg13_vgg8_cifar100.py', '../_base_/methods/dkd.py']
model = dict(methods=dict(dkd=_base_.dkd | _base_.settings.dkd))
