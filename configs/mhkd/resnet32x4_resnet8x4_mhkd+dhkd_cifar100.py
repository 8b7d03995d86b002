# Both methods on one student: heads after three stages, and beside the classifier.
_base_ = '../kd/resnet32x4_resnet8x4_cifar100.py'
model = dict(
    methods=dict(
        multi_head=dict(type='MultiHead', beta=0.5),
        dual_head=dict(
            type='DualHead',
            head=dict(type='LinearClassifier'),
            loss=dict(type='BinaryKLNormLoss', tau=2.0),
            loss_weight=1.0)))
