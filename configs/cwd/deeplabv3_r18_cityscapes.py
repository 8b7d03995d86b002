_base_ = ['../_base_/pairs/deeplabv3_r18_cityscapes.py', '../_base_/methods/cwd.py']
model = dict(methods=dict(cwd={{_base_.cwd}}))
