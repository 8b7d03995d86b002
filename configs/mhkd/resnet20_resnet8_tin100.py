# Heads narrower than the paper's 256, as the networks are: 16 to 64 channels.
_base_ = '../kd/resnet20_resnet8_tin100.py'
model = dict(
    methods=dict(
        multi_head=dict(
            type='MultiHead',
            head=dict(type='ConvClassifier', channels=32),
            beta=0.5)))
