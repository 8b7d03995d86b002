_base_ = [
    '../_base_/models/vgg8_cifar.py', '../_base_/datasets/svhn.py',
    '../_base_/schedules/svhn_150e.py',
    '../_base_/classification_runtime.py'
]
model = dict(head=dict(num_classes=10))
