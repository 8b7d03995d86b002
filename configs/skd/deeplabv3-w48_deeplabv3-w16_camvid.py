# With KD without temperature; task loss and KD have weight 1, as in CIRKD's code.
_base_ = ['../_base_/pairs/deeplabv3-w48_deeplabv3-w16_camvid.py',
          '../_base_/methods/skd.py']
model = dict(methods=dict(
    kd=dict(type='LogitsKD', loss=dict(type='KLDivergenceLoss', tau=1.0), weight=1.0),
    skd={{_base_.skd}}))
