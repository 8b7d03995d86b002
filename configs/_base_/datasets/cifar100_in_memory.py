# CIFAR-100 loaded and augmented in whole batches: the same augmentation as in
# cifar100.py, with other random numbers. Hooks that switch pipelines are an error.
_base_ = './cifar100.py'
data_preprocessor = dict(
    type='mmkd.CropFlipDataPreprocessor', padding=4, flip_prob=0.5)
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(in_memory=True, pipeline=[dict(type='PackInputs')]))
