# Table 1 of Multi-Head KD, last row.
_base_ = '../mhkd/wrn40-2_wrn16-2_cifar100.py'
model = dict(methods=dict(crd=dict(type='CRD', loss_weight=0.8)))
