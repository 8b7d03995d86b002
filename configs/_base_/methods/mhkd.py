# Multi-Head KD; weight is its beta. Its whole loss has KD on the final outputs.
_base_ = './kd.py'
multi_head = dict(
    type='MultiHead',
    head=dict(type='ConvClassifier', channels=256),
    loss=dict(type='KLDivergenceLoss', tau=4.0),
    alpha=0.9,
    weight=0.5,
    source='published')
