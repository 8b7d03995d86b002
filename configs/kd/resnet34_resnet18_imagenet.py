_base_ = ['../_base_/pairs/resnet34_resnet18_imagenet.py', '../_base_/methods/kd.py']
model = dict(methods=dict(kd=_base_.kd | _base_.settings.kd))
