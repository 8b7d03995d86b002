# Heads narrower than the paper's 256, as the student is: 16 to 64 channels.
_base_ = '../kd/deeplabv3-w48_deeplabv3-w16_camvid.py'
model = dict(
    methods=dict(
        multi_head=dict(
            type='MultiHead',
            head=dict(type='ConvClassifier', channels=32),
            beta=0.5)))
