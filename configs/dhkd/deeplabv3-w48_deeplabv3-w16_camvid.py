_base_ = ['../_base_/pairs/deeplabv3-w48_deeplabv3-w16_camvid.py',
          '../_base_/methods/dhkd.py']
model = dict(methods=dict(dual_head={{_base_.dual_head}}))
