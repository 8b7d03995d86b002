# Schedule of CIRKD and DIST on Cityscapes: 16 crops per step, two in each of
# eight processes.
_base_ = './sgd_4k.py'
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=1e-4))
param_scheduler = [
    dict(type='PolyLR', eta_min=0, power=0.9, end=40000, by_epoch=False)
]
train_cfg = dict(max_iters=40000, val_interval=4000)
default_hooks = dict(checkpoint=dict(interval=4000))
auto_scale_lr = dict(base_batch_size=16)
