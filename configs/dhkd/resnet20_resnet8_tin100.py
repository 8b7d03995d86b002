_base_ = '../kd/resnet20_resnet8_tin100.py'
model = dict(
    methods=dict(
        _delete_=True,
        dual_head=dict(
            type='DualHead',
            head=dict(type='LinearClassifier'),
            loss=dict(type='BinaryKLNormLoss', tau=2.0),
            loss_weight=1.0)))
optim_wrapper = dict(type='mmkd.GradientAlignOptimWrapper')
