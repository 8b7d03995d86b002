# Correlation congruence, as in RepDistiller.
cc = dict(type='CC', weight=0.02, source='published')
