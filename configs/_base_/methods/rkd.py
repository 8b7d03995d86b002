# Relational KD, as in RepDistiller.
rkd = dict(type='RKD', weight=1.0, source='published')
