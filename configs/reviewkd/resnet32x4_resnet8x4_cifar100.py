_base_ = ['../_base_/pairs/resnet32x4_resnet8x4_cifar100.py',
          '../_base_/methods/reviewkd.py']
model = dict(methods=dict(reviewkd={{_base_.reviewkd}}))
