# CIRKD; KD beside it is LogitsKD.
cirkd = dict(type='CIRKD', weight=1.0, source='published')
