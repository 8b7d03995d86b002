# Channel-wise KD on logits.
cwd = dict(
    type='CWD',
    loss=dict(type='ChannelWiseDivergenceLoss', tau=4.0),
    weight=3.0,
    source='published')
