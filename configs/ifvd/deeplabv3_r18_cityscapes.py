# With KD without temperature; task loss and KD have weight 1, as in CIRKD's code.
_base_ = ['../_base_/pairs/deeplabv3_r18_cityscapes.py', '../_base_/methods/ifvd.py']
model = dict(methods=dict(
    kd=dict(type='LogitsKD', loss=dict(type='KLDivergenceLoss', tau=1.0), weight=1.0),
    ifvd={{_base_.ifvd}}))
