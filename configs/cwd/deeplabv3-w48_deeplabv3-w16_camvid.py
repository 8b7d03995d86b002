_base_ = '../kd/deeplabv3-w48_deeplabv3-w16_camvid.py'
model = dict(
    methods=dict(
        _delete_=True,
        cwd=dict(
            type='CWD',
            loss=dict(type='ChannelWiseDivergenceLoss', tau=4.0),
            loss_weight=3.0)))
