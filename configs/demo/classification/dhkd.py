_base_ = ['./pair.py', '../../_base_/methods/dhkd.py']
model = dict(methods=dict(dual_head={{_base_.dual_head}}))
