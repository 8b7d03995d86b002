# Table 1 of Multi-Head KD, last row.
_base_ = '../mhkd/vgg13_mobilenetv2_cifar100.py'
model = dict(methods=dict(crd=dict(type='CRD', loss_weight=0.8)))
