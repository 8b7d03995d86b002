# Batch size, learning rate and momentum of the published code.
_base_ = ['../_base_/pairs/vgg13_vgg8_cifar100.py', '../_base_/methods/reviewkd.py']
model = dict(methods=dict(reviewkd=_base_.reviewkd | _base_.settings.reviewkd))
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=True))
auto_scale_lr = dict(base_batch_size=128)
