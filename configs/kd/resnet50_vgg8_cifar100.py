_base_ = ['../_base_/pairs/resnet50_vgg8_cifar100.py', '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
