_base_ = ['../_base_/models/resnet110_cifar.py', '../_base_/cifar100_240e.py']
