_base_ = ['../_base_/models/resnet32x4_cifar.py', '../_base_/tin100.py']
param_scheduler = dict(milestones=[10, 13, 15])
train_cfg = dict(max_epochs=16)
