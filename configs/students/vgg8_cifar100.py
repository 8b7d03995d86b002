_base_ = ['../_base_/models/vgg8_cifar.py', '../_base_/cifar100_240e.py']
