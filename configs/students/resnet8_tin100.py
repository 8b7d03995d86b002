_base_ = ['../_base_/models/resnet8_cifar.py', '../_base_/tin100.py']
param_scheduler = dict(milestones=[4, 5])
train_cfg = dict(max_epochs=6)
