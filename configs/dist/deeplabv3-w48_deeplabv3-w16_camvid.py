_base_ = '../kd/deeplabv3-w48_deeplabv3-w16_camvid.py'
model = dict(
    methods=dict(
        _delete_=True,
        dist=dict(
            type='DIST',
            loss=dict(type='DISTLoss', beta=1.0, gamma=1.0, tau=1.0))))
