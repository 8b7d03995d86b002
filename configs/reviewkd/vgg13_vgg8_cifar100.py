_base_ = ['../_base_/pairs/vgg13_vgg8_cifar100.py', '../_base_/methods/reviewkd.py']
model = dict(methods=dict(reviewkd={{_base_.reviewkd}}))
