# DIST on images: both weights are 2, on CIFAR-100 with tau 4. Per pixel all are 1.
dist = dict(
    type='DIST',
    loss=dict(type='DISTLoss', beta=2.0, gamma=2.0, tau=4.0),
    weight=1.0,
    source='published')
