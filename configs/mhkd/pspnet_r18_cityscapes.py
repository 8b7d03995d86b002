_base_ = '../kd/pspnet_r18_cityscapes.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=0.5)))
