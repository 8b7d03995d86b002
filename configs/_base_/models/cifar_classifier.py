# Shared by all CIFAR classifiers. <arch>_cifar.py adds the backbone, and the
# published model's initialisation of the classifier: None keeps PyTorch's own.
model = dict(
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=100,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)))
