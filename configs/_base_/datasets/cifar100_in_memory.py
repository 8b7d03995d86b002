# CIFAR-100 read in whole batches and augmented in them: the same views as
# cifar100.py, by other random numbers. Hooks that switch pipelines are an error.
_base_ = './cifar100.py'
data_preprocessor = dict(
    type='mmkd.CropFlipDataPreprocessor', padding=4, flip_prob=0.5)
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(in_memory=True, pipeline=[dict(type='PackInputs')]))
