"""Checks of the top level of a config, before those of its parts."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mmengine.config import Config

from mmkd.arguments import described, fits
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

VALUES: dict[str, Any] = dict(
    custom_hooks=list,
    default_scope=str,
    experiment_name=str,
    launcher=Literal['none', 'pytorch', 'slurm', 'mpi'],
    load_from=str,
    resume=bool | Literal['auto'],
    work_dir=str,
)
"""Types of other top-level settings, which may also be None."""

TOGETHER = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)
"""Settings that a runner takes all together or not at all."""


def check_shapes(cfg: Config) -> None:
    """Refuse parts of the wrong type, or without their counterparts.

    Args:
        cfg: The config of any training or test.

    Raises:
        TypeError: If there is such a part; the message says where.
        ValueError: If the model, the data set of a dataloader, or the loop of a
            dataloader is missing.
    """
    if not cfg.get('model'):
        raise ValueError(f'the config {cfg.filename} has no model = dict(...).')
    for place, part in _dicts(cfg):
        if part is not None and not isinstance(part, Mapping):
            raise TypeError(f'{cfg.filename}: {place} must be a dict, got {part!r}.')
    for name in LOADERS:
        if cfg.get(name) is not None and 'dataset' not in cfg[name]:
            raise ValueError(f'{cfg.filename}: {name} has no dataset.')
    for name, hint in VALUES.items():
        value = cfg.get(name)
        if value is not None and not fits(value, hint):
            raise TypeError(
                f'{cfg.filename}: {name} must be {described(hint)}, got {value!r}.'
            )
    for names in TOGETHER:
        absent = [name for name in names if cfg.get(name) is None]
        if 0 < len(absent) < len(names):
            there = ' and '.join(name for name in names if name not in absent)
            raise ValueError(
                f'{cfg.filename}: {there} without {" and ".join(absent)}: set all of '
                f'{", ".join(names)}, or none of them.'
            )


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
