_base_ = ['../_base_/models/resnet8x4_cifar.py', '../_base_/cifar100_240e.py']
