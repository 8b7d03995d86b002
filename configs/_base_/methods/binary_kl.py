# BinaryKL on the main classifier, besides the task loss: the starting point of DHKD.
binary_kl = dict(
    type='LogitsKD',
    loss=dict(type='BinaryKLLoss', tau=2.0),
    weight=1.0,
    source='published')
