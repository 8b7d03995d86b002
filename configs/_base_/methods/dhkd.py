# Dual-Head KD; weight is the paper's alpha.
dual_head = dict(
    type='DualHead',
    head=dict(type='LinearClassifier'),
    loss=dict(type='BinaryKLNormLoss', tau=2.0),
    weight=1.0,
    source='published')
