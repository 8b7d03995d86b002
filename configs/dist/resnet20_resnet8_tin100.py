_base_ = '../kd/resnet20_resnet8_tin100.py'
model = dict(
    methods=dict(
        _delete_=True,
        dist=dict(
            type='DIST',
            loss=dict(type='DISTLoss', beta=1.0, gamma=1.0, tau=4.0))))
