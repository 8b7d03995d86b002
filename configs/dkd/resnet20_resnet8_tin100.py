_base_ = ['../_base_/pairs/resnet20_resnet8_tin100.py', '../_base_/methods/dkd.py']
model = dict(methods=dict(dkd=_base_.dkd | _base_.settings.dkd))
