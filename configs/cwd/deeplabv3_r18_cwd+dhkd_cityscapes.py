_base_ = '../dhkd/deeplabv3_r18_cityscapes.py'
model = dict(
    methods=dict(
        cwd=dict(
            type='CWD',
            loss=dict(type='ChannelWiseDivergenceLoss', tau=4.0),
            loss_weight=3.0)))
