"""A pair that is scored on images held back from its training set."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmkd.config.changes import set_data_root
from mmkd.config.experiments import load_config
from mmkd.registry import scope_of

SHARE = 0.2
"""The fraction of the training set that is held back."""


def hold_back(pair: str, path: Path, data_root: str | None = None) -> int:
    """Write the config of a pair that trains on part of its images.

    The rest replaces the validation set, with its pipeline. The split depends only on
    the number of images.

    Args:
        pair: A pair's name, or the config of a distillation.
        path: The file to write.
        data_root: The folder of the data set; None for the config's own.

    Returns:
        How many images are held back.

    Raises:
        ValueError: If the training set cannot be divided.
    """
    cfg = load_config(pair)
    if data_root is not None:
        set_data_root(cfg, data_root)
    dataset = cfg.train_dataloader.dataset
    whole = _size(cfg, dataset)
    order = np.random.default_rng(0).permutation(whole).tolist()
    count = round(SHARE * whole)
    if not 0 < count < whole or _size(cfg, dataset, [0]) != 1:
        raise ValueError(
            f'--tune holds out part of the training set, but a {dataset.type} of '
            f'{whole} cannot be divided: MMEngine\'s "indices" do not apply to it. '
            'Use the data set without a wrapper.'
        )
    held = copy.deepcopy(dataset)
    held.pipeline = cfg.val_dataloader.dataset.pipeline
    held.indices = sorted(order[:count])
    dataset.indices = sorted(order[count:])
    cfg.val_dataloader.dataset = held
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)
    return count


def _size(cfg: Config, dataset: Any, indices: list[int] | None = None) -> int:
    settings = copy.deepcopy(dataset)
    if indices is not None:
        settings.indices = indices
    with scope_of(cfg):
        try:
            return len(DATASETS.build(settings))
        except TypeError:
            # It does not take indices.
            return 0
