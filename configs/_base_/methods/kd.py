# Hinton et al. with the alpha 0.9 and tau 4 of Multi-Head KD, section 4.1. For pixels
# see per_pixel.py.
kd = dict(
    type='LogitsKD',
    loss=dict(type='KLDivergenceLoss', tau=4.0),
    weight=0.9,
    task_weight=0.1,
    source='published')
