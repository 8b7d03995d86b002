_base_ = [
    '../_base_/pairs/vgg13_vgg8_cifar100.py',
    '../_base_/methods/dist.py'
]
model = dict(
    methods=dict(
        dist={{_base_.dist}}))
