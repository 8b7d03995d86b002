"""Notes on how a record was made, which do not affect its use."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.runner import Runner

import mmkd
from mmkd.checkpoints.identity import text_of

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
"""Packages that read images and build networks."""


def notes_of(runner: Runner) -> dict[str, Any]:
    """Versions, folders, batch size and optimiser of a training.

    Args:
        runner: The runner, whose training loop is built.
    """
    loader, cfg = runner.train_loop.dataloader, runner.cfg
    dataset = cfg.train_dataloader.get('dataset') or {}
    return dict(
        versions={
            'mmkd': mmkd.__version__,
            'torch': torch.__version__,
            **_versions(),
        },
        device=get_device(),
        config=str(cfg.filename),
        data_root=str(dataset.get('data_root')),
        batch_size=loader.batch_size,
        optim_wrapper=text_of(cfg.get('optim_wrapper')),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
