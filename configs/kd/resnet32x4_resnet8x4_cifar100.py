_base_ = ['../_base_/pairs/resnet32x4_resnet8x4_cifar100.py',
          '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
