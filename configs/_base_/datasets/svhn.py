# SVHN, cropped digits, cropped and flipped like CIFAR: digits are not invariant
# to flips, but section 4 of MHKD flips them. MHKD mentions over 600,000 images,
# which is train, test and extra together, and does not say what it trained on;
# split='train+extra' trains on both.
_base_ = './cifar100.py'
dataset_type = 'mmkd.SVHN'
data_root = 'data/svhn'
data_preprocessor = dict(
    num_classes=10,
    # RGB mean and standard deviation of the training images: (0.4377, 0.4438,
    # 0.4728) and (0.1980, 0.2010, 0.1970) times 255.
    mean=[111.61, 113.17, 120.56],
    std=[50.49, 51.26, 50.24])
train_dataloader = dict(
    batch_size=200, dataset=dict(type=dataset_type, data_root=data_root))
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(topk=(1, ))
test_evaluator = val_evaluator
