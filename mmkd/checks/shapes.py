"""Parts of a config that must be dicts, before anything looks into them."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmkd.checks.places import LOADERS

DICTS = (
    *LOADERS,
    'auto_scale_lr',
    'default_hooks',
    'env_cfg',
    'optim_wrapper',
    'randomness',
    'test_cfg',
    'train_cfg',
    'val_cfg',
)
"""Top-level parts that are dicts, or None."""


def check_shapes(cfg: Config) -> None:
    """Refuse what is no dict where there must be one.

    Args:
        cfg: The config of any training or test.

    Raises:
        TypeError: If there is such a part; the message says where.
        ValueError: If there is no model, or a loader without a data set.
    """
    if not cfg.get('model'):
        raise ValueError(f'the config {cfg.filename} has no model = dict(...).')
    for place, part in _dicts(cfg):
        if part is not None and not isinstance(part, Mapping):
            raise TypeError(f'{cfg.filename}: {place} must be a dict, got {part!r}.')
    for name in LOADERS:
        if cfg.get(name) is not None and 'dataset' not in cfg[name]:
            raise ValueError(f'{cfg.filename}: {name} has no dataset.')


def _dicts(cfg: Config) -> Iterator[tuple[str, Any]]:
    yield 'model', cfg.model
    for name in DICTS:
        yield name, cfg.get(name)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        yield f'default_hooks.{name}', hook
    for name in ('teacher', 'methods'):
        yield f'model.{name}', cfg.model.get(name)
    for name, method in (cfg.model.get('methods') or {}).items():
        yield f'model.methods.{name}', method
