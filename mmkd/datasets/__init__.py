"""Data sets that MMPretrain lacks, or reads too strictly."""

from .checked import CheckedDataset, CorruptSampleError
from .cifar import CIFAR100
from .svhn import SVHN

__all__ = ['CIFAR100', 'SVHN', 'CheckedDataset', 'CorruptSampleError']
