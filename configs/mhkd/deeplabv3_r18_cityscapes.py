_base_ = '../kd/deeplabv3_r18_cityscapes.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=0.5)))
