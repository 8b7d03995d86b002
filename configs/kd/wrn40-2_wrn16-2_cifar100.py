_base_ = ['../_base_/pairs/wrn40-2_wrn16-2_cifar100.py', '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
