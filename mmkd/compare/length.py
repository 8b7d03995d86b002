"""A training of another length: options that change with it."""

import math
import re
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from mmengine.config import Config

from mmkd.checks.places import schedulers_of, short_name

LENGTHS = {'epochs': 'max_epochs', 'iterations': 'max_iters'}
"""Fields of ``train_cfg`` that set the length of a training."""

TIMES = (
    'begin',
    'cooldown',
    'end',
    'milestones',
    'patience',
    'periods',
    'step_size',
    'T_max',
    'total_steps',
    'warmup_iters',
)
"""Arguments of schedulers that are times."""

VALIDATION = ('val_begin', 'dynamic_intervals')
"""Arguments of the training loop that are times, or pairs of a time and an interval."""

ACTIONS = ('action_epoch', 'begin_epoch', 'begin_iter', 'save_begin')
"""Arguments of hooks that are times, as in an EMA or a change of recipe."""

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
        Options for ``--cfg-options``: the length, and the times of validation, learning
        rate schedulers, hooks and methods.

    Raises:
        ValueError: If the loop has the other unit, or the training is too short for
            its schedules.
    """
    key = LENGTHS[unit]
    if key not in cfg.train_cfg:
        own = unit_of(cfg.train_cfg)
        raise ValueError(
            f'{cfg.filename} counts {own} ({cfg.train_cfg[LENGTHS[own]]} of them): '
            f'give --{own}, not --{unit}.'
        )
    factor = length / cfg.train_cfg[key]
    changes = [
        (f'train_cfg.{key}', length),
        *_validation(cfg, factor),
        *_schedulers(cfg, factor),
        *_hooks(cfg, factor),
        *_methods(cfg, factor),
    ]
    return [f'{name}={value}'.replace(' ', '') for name, value in changes]


def _validation(cfg: Config, factor: float) -> Iterator[tuple[str, Any]]:
    for name in VALIDATION:
        found = cfg.train_cfg.get(name)
        if found and name == 'dynamic_intervals':
            found = [(_scaled(begin, factor), interval) for begin, interval in found]
            yield f'train_cfg.{name}', found
        elif found:
            yield f'train_cfg.{name}', _scaled(found, factor)


def _schedulers(cfg: Config, factor: float) -> Iterator[tuple[str, Any]]:
    for where, scheduler in schedulers_of(cfg):
        place = re.sub(r'\[(\d+)\]', r'.\1', where)
        scaled = {
            name: _scaled(scheduler[name], factor)
            for name in TIMES
            if scheduler.get(name) is not None
        }
        kind = short_name(scheduler)
        begin, end, last = _span(cfg, scheduler)
        first, after = _scaled(begin, factor), _scaled(end, factor)
        least = 2 if 1 < end - begin < last - begin and _ramps(scheduler) else 1
        if after - first == 1 < least <= _scaled(last, factor) - first:
            after = scaled['end'] = first + least
        lasts = after - first
        if lasts < least:
            raise ValueError(
                f'{cfg.filename}: nothing is left of {place} ({kind}, from {begin} to '
                f'{end}) in {factor:.3g} of its length. Train longer.'
            )
        if scheduler.get('T_max') == end - begin:
            scaled['T_max'] = lasts
        for name, value in scaled.items():
            yield f'{place}.{name}', value
        steps = 1.0
        if kind.startswith('Exponential'):
            steps = 1 / factor
        elif kind.startswith('Step') and isinstance(scheduler.get('step_size'), Real):
            steps = scaled['step_size'] / (scheduler['step_size'] * factor)
        if 'gamma' in scheduler and not math.isclose(steps, 1):
            # A factor per step, which stands for so many of the original ones.
            yield f'{place}.gamma', scheduler['gamma'] ** steps


def _ramps(scheduler: Mapping[str, Any]) -> bool:
    """Whether it changes the rate from its first step to its last.

    With a single step it would leave the rate at the first one's factor.
    """
    between = short_name(scheduler).startswith(('Constant', 'Linear'))
    return between and not scheduler.get('convert_to_iter_based')


def _span(cfg: Config, scheduler: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """First and last step of a scheduler, and the training's end in its unit.

    The end is infinite where the scheduler counts in another unit than the loop, and
    the last step of a scheduler that does not name it.
    """
    unit = unit_of(cfg.train_cfg)
    same = scheduler.get('by_epoch', True) == (unit == 'epochs')
    last = cfg.train_cfg[LENGTHS[unit]] if same else math.inf
    begin, end = scheduler.get('begin', 0), scheduler.get('end', last)
    if all(isinstance(value, Real) for value in (begin, end)):
        return begin, end, last
    return 0, math.inf, last


def _hooks(cfg: Config, factor: float) -> Iterator[tuple[str, Any]]:
    def look(part: Any, place: str) -> Iterator[tuple[str, Any]]:
        nested = isinstance(part, Mapping)
        for name, value in part.items() if nested else enumerate(part):
            if nested and name in ACTIONS and value:
                yield f'{place}.{name}', _scaled(value, factor)
            elif isinstance(value, (Mapping, list, tuple)):
                yield from look(value, f'{place}.{name}')

    for key in ('default_hooks', 'custom_hooks'):
        yield from look(cfg.get(key) or (), key)


def _methods(cfg: Config, factor: float) -> Iterator[tuple[str, Any]]:
    for name, method in (cfg.model.get('methods') or {}).items():
        for time in SCHEDULE:
            if (method or {}).get(time):
                yield f'model.methods.{name}.{time}', _scaled(method[time], factor)


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, (list, tuple)):
        return [_scaled(each, factor) for each in value]
    if not isinstance(value, (int, float)) or not value or math.isinf(value):
        return value
    # Anything after the first step stays after it.
    return max(1, round(value * factor))
