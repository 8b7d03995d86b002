_base_ = '../kd/deeplabv3_r18_cityscapes.py'
model = dict(
    methods=dict(
        _delete_=True,
        dual_head=dict(
            type='DualHead',
            head=dict(type='LinearClassifier'),
            loss=dict(type='BinaryKLNormLoss', tau=2.0),
            loss_weight=1.0)))
