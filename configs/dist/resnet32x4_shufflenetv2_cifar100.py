_base_ = ['../_base_/pairs/resnet32x4_shufflenetv2_cifar100.py',
          '../_base_/methods/dist.py']
model = dict(methods=dict(dist={{_base_.dist}}))
