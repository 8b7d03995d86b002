_base_ = ['../_base_/pairs/resnet56_resnet20_cifar100.py', '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
