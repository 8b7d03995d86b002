_base_ = ['../_base_/pairs/deeplabv3_r18_40k_cityscapes.py',
          '../_base_/methods/dist.py']
model = dict(methods=dict(dist=_base_.dist | _base_.settings.dist))
