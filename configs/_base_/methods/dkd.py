# Decoupled KD; beta differs by pair.
dkd = dict(
    type='DKD',
    loss=dict(type='DKDLoss', alpha=1.0, beta=8.0, tau=4.0),
    weight=1.0,
    warmup=20,
    by_epoch=True,
    source='published')
