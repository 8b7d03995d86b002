# FitNets, as in RepDistiller.
fitnet = dict(type='FitNet', weight=100.0, source='published')
