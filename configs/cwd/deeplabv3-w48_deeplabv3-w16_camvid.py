_base_ = ['../_base_/pairs/deeplabv3-w48_deeplabv3-w16_camvid.py',
          '../_base_/methods/cwd.py']
model = dict(methods=dict(cwd={{_base_.cwd}}))
