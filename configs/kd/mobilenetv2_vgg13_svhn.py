_base_ = ['../_base_/pairs/mobilenetv2_vgg13_svhn.py', '../_base_/methods/kd.py']
model = dict(methods=dict(kd={{_base_.kd}}))
