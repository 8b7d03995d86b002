# Table 1 of Multi-Head KD, last row.
_base_ = ['../_base_/pairs/wrn40-2_wrn16-2_cifar100.py',
          '../_base_/methods/mhkd.py',
          '../_base_/methods/crd.py']
model = dict(methods=dict(
    kd={{_base_.kd}},
    multi_head={{_base_.multi_head}},
    crd={{_base_.crd}}))
