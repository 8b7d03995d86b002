"""A training of another length: what has to change with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmkd.checks.places import several

LENGTHS = {'epochs': 'max_epochs', 'iterations': 'max_iters'}
"""Fields of ``train_cfg`` that say how long a training is."""

MOMENTS = ('begin', 'end', 'T_max', 'milestones', 'warmup_iters')
"""Arguments of schedulers that are times."""

SCHEDULE = ('start', 'warmup', 'stop')
"""A method's times."""


def unit_of(train_cfg: Mapping[str, Any]) -> str:
    """What a training counts, ``'epochs'`` or ``'iterations'``.

    Args:
        train_cfg: Of its config.
    """
    return next(unit for unit, key in LENGTHS.items() if key in train_cfg)


def length_options(cfg: Config, unit: str, length: int) -> list[str]:
    """What makes a training as long, with schedules that reach as far into it.

    Args:
        cfg: The config of a training; it is left as it is.
        unit: ``'epochs'`` or ``'iterations'``, what its loop counts.
        length: How many.

    Returns:
        Options for ``--cfg-options``: the length, times of the schedulers of the
        learning rate, and those of methods.

    Raises:
        ValueError: If the loop counts something else.
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
    # What began or ended after the first step does so still.
    return max(1, round(value * factor)) if value else value
