_base_ = ['../_base_/models/resnet32_cifar.py', '../_base_/cifar100_240e.py']
