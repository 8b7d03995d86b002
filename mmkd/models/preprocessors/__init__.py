"""Data preprocessors that MMPretrain lacks."""

from mmkd.setup import setup

setup()  # before mmpretrain is imported

from .crop_and_flip import CropFlipDataPreprocessor

__all__ = ['CropFlipDataPreprocessor']
