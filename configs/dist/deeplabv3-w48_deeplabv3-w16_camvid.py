_base_ = [
    '../_base_/pairs/deeplabv3-w48_deeplabv3-w16_camvid.py',
    '../_base_/methods/dist.py'
]
model = dict(
    methods=dict(
        dist=_base_.dist | _base_.settings.dist))
