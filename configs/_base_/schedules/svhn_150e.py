# MHKD's schedule on SVHN.
_base_ = './cifar_240e.py'
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = dict(milestones=[80, 110, 135])
train_cfg = dict(max_epochs=150)
auto_scale_lr = dict(base_batch_size=200)
