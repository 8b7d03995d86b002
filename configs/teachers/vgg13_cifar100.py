_base_ = ['../_base_/models/vgg13_cifar.py', '../_base_/cifar100_240e.py']
