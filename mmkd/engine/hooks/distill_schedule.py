"""The weight of each distillation method over the course of training."""

import difflib
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmkd.engine.unwrap import distiller_of
from mmkd.registry import HOOKS

ALL = 'all'
"""The name that stands for every method without a schedule of its own."""


@dataclass(frozen=True)
class Schedule:
    """When one method counts, in steps (epochs or iterations) counted from 0.

    Attributes:
        start: First step in which the method counts.
        warmup: Steps over which its weight then rises linearly. As in the
            published code of ReviewKD and DKD the first of them has weight
            ``1 / warmup``, not 0, and the last has weight 1.
        stop: First step in which it counts no more, or None for never.
    """

    start: float = 0
    warmup: float = 0
    stop: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in asdict(self).items():
            if name == 'stop' and value is None:
                continue
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f'{name} must be a number, got {value!r}.')
            if not 0 <= value < math.inf:
                raise ValueError(f'{name} must be finite and not < 0, got {value}.')
        if self.stop is not None and self.stop < self.start:
            raise ValueError(
                f'stop must not be smaller than start ({self.start}), got {self.stop}.'
            )

    def factor(self, step: int) -> float:
        """What the method's weight is multiplied by, in [0, 1].

        Args:
            step: Epoch or iteration, counted from 0.
        """
        if step < self.start or (self.stop is not None and step >= self.stop):
            return 0.0
        if self.warmup == 0:
            return 1.0
        return min((step - self.start + 1) / self.warmup, 1.0)


@HOOKS.register_module()
class DistillScheduleHook(Hook):
    """Switch the distiller's methods on, up and off as training goes on.

    Sets ``schedule_factor`` of each method, which multiplies its losses, from
    the epoch or iteration alone, so that a resumed run needs no state of it.
    The factor is logged as ``{method}_schedule_factor``. A method without a
    schedule is left alone.

    Args:
        schedules: The settings of :class:`Schedule` by the name of the method;
            the name ``all`` stands for every method not named.
        by_epoch: Whether to count epochs; iterations otherwise.

    Raises:
        TypeError: If a schedule is not a dict or a setting not a number.
        ValueError: If a setting does not exist, is negative or infinite, or
            ends a method before it starts; in training, if a method does not
            exist, or epochs are to be counted in an iteration-based loop.

    Examples:
        >>> custom_hooks = [
        ...     dict(
        ...         type='mmkd.DistillScheduleHook',
        ...         schedules=dict(dual_head=dict(stop=50), review=dict(warmup=20)))]
    """

    def __init__(
        self, schedules: dict[str, dict[str, Any]], by_epoch: bool = True
    ) -> None:
        self.schedules = {
            name: _schedule(name, settings) for name, settings in schedules.items()
        }
        self.by_epoch = by_epoch

    def before_train(self, runner: Runner) -> None:
        """Check the methods' names and the unit of time."""
        known = list(distiller_of(runner).methods)
        for name in self.schedules:
            if name != ALL and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f' Did you mean {near[0]!r}?' if near else ''
                raise ValueError(
                    f'schedules names the method {name!r}, which the distiller does '
                    f'not have; it has {known}.{hint}'
                )
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'by_epoch=True counts epochs, and an IterBasedTrainLoop has none. '
                'Give the schedules in iterations, with by_epoch=False.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the factors of an epoch."""
        if self.by_epoch:
            self._apply(runner, runner.epoch)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the factors of an iteration."""
        if not self.by_epoch:
            self._apply(runner, runner.iter)

    def _apply(self, runner: Runner, step: int) -> None:
        for name, method in distiller_of(runner).methods.items():
            schedule = self.schedules.get(name, self.schedules.get(ALL))
            if schedule is not None:
                method.schedule_factor = schedule.factor(step)
                runner.message_hub.update_scalar(
                    f'train/{name}_schedule_factor', method.schedule_factor
                )


def _schedule(name: str, settings: dict[str, Any]) -> Schedule:
    allowed = [field.name for field in fields(Schedule)]
    if not isinstance(settings, dict):
        raise TypeError(
            f'schedules[{name!r}] must be a dict of {allowed}, got {settings!r}.'
        )
    unknown = sorted(set(settings) - set(allowed))
    if unknown:
        raise ValueError(
            f'schedules[{name!r}] must be a dict of {allowed}, got also {unknown}.'
        )
    try:
        return Schedule(**settings)
    except (TypeError, ValueError) as error:
        raise type(error)(f'schedules[{name!r}]: {error}') from error
