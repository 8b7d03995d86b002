# ReviewKD; its weight differs by pair.
reviewkd = dict(
    type='ReviewKD', weight=5.0, warmup=20, by_epoch=True, source='published')
