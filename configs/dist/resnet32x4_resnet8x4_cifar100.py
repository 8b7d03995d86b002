_base_ = '../kd/resnet32x4_resnet8x4_cifar100.py'
model = dict(
    methods=dict(
        _delete_=True,
        dist=dict(
            type='DIST',
            loss=dict(type='DISTLoss', beta=1.0, gamma=1.0, tau=4.0))))
