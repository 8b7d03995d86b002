_base_ = ['../_base_/models/mobilenetv2_cifar.py', '../_base_/cifar100_240e.py']
optim_wrapper = dict(optimizer=dict(lr=0.01))
