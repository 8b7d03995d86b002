# MMPretrain's own CIFAR ResNets and teacher checkpoint, with Dual-Head KD's schedule.
_base_ = ['mmpretrain::resnet/resnet50_8xb16_cifar100.py', '../distill.py']
model = _base_.distiller | dict(
    student=dict(
        type='ImageClassifier',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            num_stages=4,
            out_indices=(3, ),
            style='pytorch'),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead',
            num_classes=100,
            in_channels=512,
            loss=dict(type='CrossEntropyLoss', loss_weight=1.0))),
    teacher=dict(
        config='mmpretrain::resnet/resnet50_8xb16_cifar100.py',
        checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
        'resnet50_b16x8_cifar100_20210528-67b58a1b.pth'))
custom_imports = _base_.distill_imports
default_hooks = _base_.distill_hooks
# This class reads CIFAR-100, and users' own images in the same format.
train_dataloader = dict(batch_size=64, dataset=dict(type='mmkd.CIFAR100'))
val_dataloader = dict(dataset=dict(type='mmkd.CIFAR100'))
test_dataloader = dict(dataset=dict(type='mmkd.CIFAR100'))
optim_wrapper = _base_.distill_optim_wrapper | dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4))
param_scheduler = dict(
    _delete_=True,
    type='MultiStepLR',
    by_epoch=True,
    milestones=[150, 180, 210],
    gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=240, val_interval=1)
auto_scale_lr = dict(base_batch_size=64)
settings = dict(dual_head=dict(gradient_alignment=True, source="pair's"))
