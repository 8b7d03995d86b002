_base_ = '../kd/deeplabv3_r18_cityscapes.py'
model = dict(
    methods=dict(
        _delete_=True,
        dist=dict(
            type='DIST',
            loss=dict(type='DISTLoss', beta=1.0, gamma=1.0, tau=1.0))))
