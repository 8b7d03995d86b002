_base_ = ['../_base_/pairs/wrn40-2_shufflenetv1_cifar100.py',
          '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
