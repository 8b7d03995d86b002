# DIST; per pixel tau is 1.
dist = dict(
    type='DIST',
    loss=dict(type='DISTLoss', beta=1.0, gamma=1.0, tau=4.0),
    weight=1.0,
    source='published')
