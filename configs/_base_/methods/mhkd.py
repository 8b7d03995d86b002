# Multi-Head KD; weight is the paper's beta. Its full loss adds KD on the outputs.
_base_ = './kd.py'
multi_head = dict(
    type='MultiHead',
    head=dict(type='ConvClassifier', channels=256),
    loss=dict(type='KLDivergenceLoss', tau=4.0),
    alpha=0.9,
    weight=0.5,
    source='published')
