_base_ = ['../_base_/pairs/deeplabv3-w48_deeplabv3-w16_camvid.py',
          '../_base_/methods/mhkd.py']
model = dict(methods=dict(
    kd=_base_.kd | _base_.settings.kd,
    multi_head=_base_.multi_head | _base_.settings.multi_head))
