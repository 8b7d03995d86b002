_base_ = [
    '../_base_/models/wrn40-1_cifar.py', '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar_240e.py',
    '../_base_/classification_runtime.py'
]
