"""What a network's input is made of, found by passing known colours to it."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor

from mmkd.checks.places import datasets_of, short_name
from mmkd.deploy.images import images_of
from mmkd.deploy.network import Network
from mmkd.registry import scope_of

READ = ('val_dataloader', 'test_dataloader')
"""The loaders that tell how images are read; the first one that is there counts."""

IMAGE_LOADER = 'LoadImageFromFile'
CHANGES = {'Normalize', 'ToTensor'}
"""Steps that change values, for pipelines that cannot be run on an image alone."""

SIDE = 64
"""Height and width of the image, each half of which has one colour."""

NEAR = 0.1
"""How far a value may be off, of 255."""

SAME = 'same'
"""The order of channels that is unknown, or has no name."""


def channel_order(
    cfg: Config, network: Network, mean: Tensor, std: Tensor
) -> str | None:
    """The channel order of a network's input, by passing an image to its pipeline.

    Resizing, cropping and padding leave some pixels of each colour as they are.

    Args:
        cfg: The config, whose validation (or else test) pipeline is run.
        network: The network, whose data preprocessor is run.
        mean: What that is meant to subtract, for each channel.
        std: What it is meant to divide by.

    Returns:
        ``'RGB'``, ``'BGR'``, ``'grey'``, or :data:`SAME` for other numbers of channels,
        without a data set and if the pipeline needs more than an image; None if values
        are changed in any other way.
    """
    found = [[each for _, each in datasets_of(cfg, [name])] for name in READ]
    datasets = found[0] or found[1]
    unknown = 'grey' if len(mean) == 1 else SAME
    orders = set()
    for each in datasets:
        names = [short_name(step) for step in each['pipeline']]
        try:
            order = _order(cfg, each, network, mean, std)
        except Exception:
            # Steps that need more than an image may raise anything.
            order = None if CHANGES & {*names} else unknown
        orders.add(unknown if order and any(map(_reads_otherwise, names)) else order)
    if None in orders:
        return None
    return orders.pop() if len(orders) == 1 else unknown


def _order(
    cfg: Config, dataset: Mapping[str, Any], network: Network, mean: Tensor, std: Tensor
) -> str | None:
    """The channel order with the pipeline of one data set."""
    count = len(mean)
    colours = np.linspace((20, 240), (100, 140), count).T.astype(np.uint8)
    with TemporaryDirectory() as folder, scope_of(cfg):
        [image] = images_of([_packed(dataset, colours, folder)], 1, network)
    values = (image[0] * std.view(-1, 1, 1) + mean.view(-1, 1, 1)).flatten(1).T
    wanted = torch.tensor(colours).float()
    orders = {1: {'grey': wanted}, 3: {'RGB': wanted, 'BGR': wanted.flip(1)}}
    for name, pair in orders.get(count, {SAME: wanted}).items():
        near = ((values[:, None] - pair).abs() <= NEAR).all(2)
        if near.any(0).all():
            return name
    return None


def _loads_other(name: str) -> bool:
    return name.startswith('Load') and name != IMAGE_LOADER


def _reads_otherwise(name: str) -> bool:
    """Whether a step loads images in a way of its own, not labels."""
    return _loads_other(name) and 'Annotation' not in name


def _packed(dataset: Mapping[str, Any], colours: np.ndarray, folder: str) -> Any:
    """What a pipeline makes of an image in two colours, RGB, read or in memory."""
    image = np.repeat(colours, SIDE // 2, 0)[None].repeat(SIDE, 0)
    file = Path(folder, 'image.png')
    if len(colours[0]) in (1, 3, 4):
        # OpenCV takes BGR.
        stored = image[..., ::-1] if len(colours[0]) == 3 else image
        cv2.imwrite(str(file), stored)
    steps = [
        {k: v for k, v in step.items() if k not in ('backend_args', 'file_client_args')}
        for step in dataset['pipeline']
        if not _loads_other(short_name(step))
    ]
    return Compose(steps)(
        dict(
            img=image[..., 0] if len(colours[0]) == 1 else image,
            img_path=str(file),
            img_shape=(SIDE, SIDE),
            ori_shape=(SIDE, SIDE),
            sample_idx=0,
            gt_label=0,
            seg_fields=[],
        )
    )
