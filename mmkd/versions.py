"""Versions of what a result depends on."""

from importlib.metadata import PackageNotFoundError, version

import torch

import mmkd

PACKAGES = (
    'torchvision',
    'mmengine',
    'onedl-mmengine',
    'mmcv',
    'mmcv-lite',
    'onedl-mmcv',
    'mmpretrain',
    'onedl-mmpretrain',
    'mmsegmentation',
    'onedl-mmsegmentation',
    'numpy',
    'opencv-python',
    'opencv-python-headless',
    'pillow',
)
"""Packages that read images, build networks and train them, of either stack."""


def versions() -> dict[str, str]:
    """The installed versions by package."""
    found = dict(mmkd=mmkd.__version__, torch=torch.__version__)
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
