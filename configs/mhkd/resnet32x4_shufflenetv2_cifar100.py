_base_ = '../kd/resnet32x4_shufflenetv2_cifar100.py'
model = dict(methods=dict(multi_head=dict(type='MultiHead', beta=0.5)))
