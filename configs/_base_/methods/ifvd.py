# IFVD, with the weight of CIRKD's code.
ifvd = dict(type='IFVD', weight=20.0, source='published')
