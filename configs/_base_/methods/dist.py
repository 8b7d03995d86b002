# DIST on images: both weights are 2, on CIFAR-100 with tau 4. For pixels see
# per_pixel.py.
dist = dict(
    type='DIST',
    loss=dict(type='DISTLoss', beta=2.0, gamma=2.0, tau=4.0),
    weight=1.0,
    source='published')
