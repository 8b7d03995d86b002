"""A pair that is scored on images held back from its training set."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmkd.config.changes import set_data_root
from mmkd.config.experiments import load_config, own_methods
from mmkd.deploy.images import seen_as_in_validation
from mmkd.registry import scope_of
from mmkd.resilience.files import whole_or_nothing

SHARE = 0.2
"""The fraction of the training set that is held back."""


DATA = ('train_dataloader.dataset', 'val_dataloader')
"""Beginnings of the keys that decide which images there are."""


def hold_back(
    pair: str,
    path: Path,
    data_root: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> int:
    """Write the config of a pair that trains on part of its images.

    The rest replaces the validation set, with its pipeline. The split depends only on
    the number of images.

    Args:
        pair: A pair's name, or the config of a distillation.
        path: The file to write.
        data_root: The folder of the data set; None for the config's own.
        changes: Changes of the config by key, of which those count that begin with
            :data:`DATA`. They must not be made again to the written one.

    Returns:
        How many images are held back.

    Raises:
        ValueError: If the training set cannot be divided.
    """
    cfg = load_config(pair)
    if data_root is not None:
        # The file's content is part of each trial, however the folder was named.
        set_data_root(cfg, str(Path(data_root).resolve()))
    changes = {k: v for k, v in (changes or {}).items() if k.startswith(DATA)}
    cfg.merge_from_dict(changes)
    dataset = cfg.train_dataloader.dataset
    places = _places(cfg, dataset)
    whole = len(places)
    order = np.random.default_rng(0).permutation(places).tolist()
    count = round(SHARE * whole)
    if not 0 < count < whole or _size(cfg, dataset, [0]) != 1:
        raise ValueError(
            f'--tune holds out part of the training set, but a {dataset.type} of '
            f'{whole} cannot be divided: MMEngine\'s "indices" do not apply to it. '
            'Use the data set without a wrapper.'
        )
    if 'methods' in cfg.model:
        # The others are composed again, of settings that the written file has.
        cfg.model.methods = own_methods(cfg)
    held = seen_as_in_validation(cfg)
    held.indices = sorted(order[:count])
    dataset.indices = sorted(order[count:])
    cfg.val_dataloader.dataset = held
    path.parent.mkdir(parents=True, exist_ok=True)
    # Trainings of a plan may be reading it.
    if not path.exists() or path.read_text() != cfg.pretty_text:
        with whole_or_nothing(path) as partial:
            partial.write_text(cfg.pretty_text)
    return count


def _places(cfg: Config, dataset: Any) -> list[int]:
    """The indices of its images in the data set that it may be a part of."""
    count, indices = _size(cfg, dataset), dataset.get('indices')
    if indices is None:
        return list(range(count))
    if isinstance(indices, int):
        total = _size(cfg, {**dataset, 'indices': None})
        # MMEngine takes the first ones, or the last ones if it is negative.
        return list(range(total)[:indices] if indices >= 0 else range(total)[indices:])
    return list(indices)


def _size(cfg: Config, dataset: Any, indices: list[int] | None = None) -> int:
    settings = copy.deepcopy(dict(dataset))
    if indices is not None:
        settings['indices'] = indices
    with scope_of(cfg):
        try:
            return len(DATASETS.build(settings))
        except TypeError:
            # It does not take indices.
            return 0
