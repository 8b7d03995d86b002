_base_ = ['../_base_/pairs/deeplabv3_r18_40k_cityscapes.py',
          '../_base_/methods/kd.py',
          '../_base_/methods/ifvd.py']
model = dict(methods=dict(kd=_base_.kd | _base_.settings.kd, ifvd={{_base_.ifvd}}))
