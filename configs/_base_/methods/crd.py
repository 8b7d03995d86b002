# CRD, as in RepDistiller.
crd = dict(type='CRD', weight=0.8, source='published')
