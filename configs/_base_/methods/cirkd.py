# CIRKD; the KD used with it is LogitsKD.
cirkd = dict(type='CIRKD', weight=1.0, source='published')
