# Pair-wise structured KD, as in CIRKD's code; the KD used with it is LogitsKD.
skd = dict(
    type='SKD',
    loss=dict(type='PairwiseAffinityLoss', region=2),
    weight=10.0,
    source='published')
