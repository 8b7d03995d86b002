_base_ = ['../_base_/models/resnet56_cifar.py', '../_base_/cifar100_240e.py']
