_base_ = ['../_base_/models/wrn40-2_cifar.py', '../_base_/svhn_150e.py']
model = dict(head=dict(num_classes=10))
