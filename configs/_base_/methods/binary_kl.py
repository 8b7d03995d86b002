# BinaryKL on the main classifier, beside the task's loss: where DHKD sets out from.
binary_kl = dict(
    type='LogitsKD',
    loss=dict(type='BinaryKLLoss', tau=2.0),
    weight=1.0,
    source='published')
