_base_ = ['../_base_/pairs/deeplabv3-w48_deeplabv3-w16_camvid.py',
          '../_base_/methods/kd.py']
model = dict(methods=dict(kd=_base_.kd | _base_.settings.kd))
