# Pair-wise structured KD.
skd = dict(type='SKD', weight=1.0, source='published')
