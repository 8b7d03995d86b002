_base_ = '../kd/deeplabv3_r18_cityscapes.py'
model = dict(
    methods=dict(
        _delete_=True,
        cwd=dict(
            type='CWD',
            loss=dict(type='ChannelWiseDivergenceLoss', tau=4.0),
            loss_weight=3.0)))
