_base_ = ['../_base_/pairs/resnet32x4_resnet8x4_cifar100.py',
          '../_base_/methods/dist.py']
model = dict(methods=dict(dist={{_base_.dist}}))
