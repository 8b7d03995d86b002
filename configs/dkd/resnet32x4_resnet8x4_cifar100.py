_base_ = ['../_base_/pairs/resnet32x4_resnet8x4_cifar100.py',
          '../_base_/methods/dkd.py']
model = dict(methods=dict(dkd={{_base_.dkd}}))
