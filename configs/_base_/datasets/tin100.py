# 100 classes of Tiny ImageNet at 32x32, in CIFAR-100's file format.
_base_ = './cifar100.py'
data_root = 'data/tin100'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
