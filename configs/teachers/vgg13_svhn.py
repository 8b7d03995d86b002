_base_ = ['../_base_/models/vgg13_cifar.py', '../_base_/svhn_150e.py']
model = dict(head=dict(num_classes=10))
