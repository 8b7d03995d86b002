"""Images of a config's data sets, as a deployed network sees them."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mmkd.arguments import arguments, class_of
from mmkd.checks.places import datasets_of
from mmkd.config.changes import check_data
from mmkd.deploy.network import Network
from mmkd.evenly import evenly
from mmkd.registry import scope_of
from mmkd.resilience.reading import SampleReader

VALIDATION, TRAINING = 'val_dataloader', 'train_dataloader'


def dataset_of(cfg: Config, loader: str = VALIDATION) -> Any:
    """Build a data set of a config, with the validation pipeline.

    Args:
        cfg: The config.
        loader: Its data loader; for training, the first data set inside wrappers.

    Raises:
        FileNotFoundError: If its folder or files do not exist. Nothing is downloaded.
        ValueError: If the config has no such data set, or its folders are empty.
    """
    if not cfg.get(loader):
        raise ValueError(f'the config has no {loader}')
    for place, dataset in datasets_of(cfg, [loader]):
        root = str(dataset.get('data_root') or '')
        if root and '://' not in root and not Path(root).is_dir():
            raise FileNotFoundError(
                f'the folder {root!r} of {place} does not exist; pass --data-root'
            )
    check_data(cfg, [loader])
    own = seen_as_in_validation(cfg) if loader == TRAINING else cfg[loader].dataset
    settings = copy.deepcopy(own)
    for _, dataset in datasets_of({loader: dict(dataset=settings)}, [loader]):
        kind = class_of(DATASETS, dataset, cfg.get('default_scope'))
        if kind and 'download' in arguments(kind)[0]:
            dataset['download'] = False
    try:
        with scope_of(cfg):
            return DATASETS.build(settings)
    except RuntimeError as error:
        # MMPretrain's data sets raise it where files are missing.
        raise FileNotFoundError(
            f'the data set of {loader} cannot be built, and nothing is downloaded '
            f'here: {error}'
        ) from error


def seen_as_in_validation(cfg: Config) -> ConfigDict:
    """The settings of the training set, with the validation pipeline.

    Args:
        cfg: The config; of wrapped data sets the first training set counts.
    """
    _, settings = next(datasets_of(cfg, [TRAINING]))
    settings = ConfigDict(settings)
    # Data sets in memory return whole batches, without a pipeline.
    settings.pop('in_memory', None)
    for _, validation in datasets_of(cfg, [VALIDATION]):
        settings.pipeline = validation.get('pipeline') or []
    return settings


def images_of(dataset: Any, count: int, network: Network) -> list[Tensor]:
    """Some images, spread evenly, preprocessed for a network.

    Args:
        dataset: From :func:`dataset_of`.
        count: How many, at most.
        network: The network.

    Returns:
        Each ``(1, C, H, W)``.

    Raises:
        CorruptSampleError: If an image or its label cannot be read.
    """
    reader, preprocess = SampleReader(dataset), network.model.data_preprocessor
    return [
        preprocess(pseudo_collate([reader[number]]), False)['inputs']
        for number in evenly(len(dataset), count)
    ]


def noise(count: int, size: Sequence[int], network: Network) -> list[Tensor]:
    """Images of Gaussian noise, always the same ones, each ``(1, C, H, W)``."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, network.view.in_channels, *size)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


def at_size(images: Sequence[Tensor], size: Sequence[int]) -> list[Tensor]:
    """The same images, resized to one height and width.

    Args:
        images: Each ``(1, C, H, W)``, of any size.
        size: Height and width.
    """
    return [
        image
        if tuple(image.shape[2:]) == tuple(size)
        else F.interpolate(image, tuple(size), mode='bilinear', align_corners=False)
        for image in images
    ]
