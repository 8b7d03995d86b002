"""A training of another length: options that change with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmkd.checks.places import several

LENGTHS = {'epochs': 'max_epochs', 'iterations': 'max_iters'}
"""Fields of ``train_cfg`` that set the length of a training."""

MOMENTS = ('begin', 'end', 'T_max', 'milestones', 'warmup_iters')
"""Arguments of schedulers that are times."""

SCHEDULE = ('start', 'warmup', 'stop')
"""Settings of a method that are times."""


def unit_of(train_cfg: Mapping[str, Any]) -> str:
    """The unit of a training's length, ``'epochs'`` or ``'iterations'``.

    Args:
        train_cfg: From its config.
    """
    return next(unit for unit, key in LENGTHS.items() if key in train_cfg)


def length_options(cfg: Config, unit: str, length: int) -> list[str]:
    """Options that set a training's length and scale its schedules to it.

    Args:
        cfg: The config of a training; it is not changed.
        unit: ``'epochs'`` or ``'iterations'``, the unit of its loop.
        length: How many.

    Returns:
        Options for ``--cfg-options``: the length, and the times of learning rate
        schedulers and methods.

    Raises:
        ValueError: If the loop has the other unit.
    """
    key = LENGTHS[unit]
    if key not in cfg.train_cfg:
        own = unit_of(cfg.train_cfg)
        raise ValueError(
            f'{cfg.filename} counts {own} ({cfg.train_cfg[LENGTHS[own]]} of them): '
            f'give --{own}, not --{unit}.'
        )
    factor = length / cfg.train_cfg[key]
    changes = dict(_schedulers(cfg, factor)) | dict(_methods(cfg, factor))
    return [f'train_cfg.{key}={length}'] + [
        f'{name}={value}'.replace(' ', '') for name, value in changes.items()
    ]


def _schedulers(cfg: Config, factor: float) -> Iterator[tuple[str, Any]]:
    found = cfg.get('param_scheduler')
    listed = isinstance(found, (list, tuple))
    for number, scheduler in enumerate(several(found)):
        place = f'param_scheduler.{number}' if listed else 'param_scheduler'
        for name in MOMENTS:
            if name in (scheduler or {}):
                yield f'{place}.{name}', _scaled(scheduler[name], factor)


def _methods(cfg: Config, factor: float) -> Iterator[tuple[str, Any]]:
    for name, method in (cfg.model.get('methods') or {}).items():
        for time in SCHEDULE:
            if (method or {}).get(time):
                yield f'model.methods.{name}.{time}', _scaled(method[time], factor)


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, (list, tuple)):
        return [_scaled(each, factor) for each in value]
    # Anything after the first step stays after it.
    return max(1, round(value * factor)) if value else value
