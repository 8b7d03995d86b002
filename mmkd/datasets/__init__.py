"""Data sets that MMPretrain lacks, or reads too strictly."""

from mmkd.setup import setup

setup()  # before mmpretrain is imported

from .cifar import CIFAR100
from .svhn import SVHN

__all__ = ['CIFAR100', 'SVHN']
