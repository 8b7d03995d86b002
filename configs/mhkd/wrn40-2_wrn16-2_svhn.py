_base_ = '../kd/wrn40-2_wrn16-2_svhn.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=5.0)))
