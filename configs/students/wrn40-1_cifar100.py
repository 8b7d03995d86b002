_base_ = ['../_base_/models/wrn40-1_cifar.py', '../_base_/cifar100_240e.py']
