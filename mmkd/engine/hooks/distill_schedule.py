"""Progress of a training, for methods with a schedule."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner
from torch._dynamo import config as compiler_config

from mmkd.engine.optim import GradientAlignOptimWrapper
from mmkd.engine.runner_distiller import distiller_of
from mmkd.models.distiller import PREFIX, Distiller
from mmkd.models.methods import Schedule
from mmkd.registry import HOOKS


@HOOKS.register_module()
class DistillScheduleHook(Hook):
    """Activate each method when its schedule says so.

    Sets ``schedule_factor`` of each method from its ``start``, ``warmup`` and
    ``stop``, which are epochs or iterations, see ``by_epoch`` of
    :class:`mmkd.models.methods.Method`. The factor depends only on the epoch or
    iteration, so that a resumed run needs no saved state. If there is a schedule, the
    factor is logged as ``{method}_schedule_factor``.

    The optimiser leaves out the parameters of a method that is not active: they begin
    from their initialisation when it starts.

    In a loop that counts iterations, an epoch is the number of iterations that the
    images of the training set fill.
    """

    def __init__(self) -> None:
        self._epoch = 1
        """Iterations per epoch, in a loop that counts iterations."""

    def before_train(self, runner: Runner) -> None:
        """Check schedules and gradient alignment, and allow taps to change.

        Raises:
            TypeError: If a method asks for gradient alignment and there is none.
            ValueError: If a method starts after its own end or that of the training,
                or counts epochs of data without a length.
        """
        wrapper, distiller = runner.optim_wrapper, distiller_of(runner)
        asked = distiller.gradient_alignment
        if asked and not isinstance(wrapper, GradientAlignOptimWrapper):
            raise TypeError(
                'a method asks for gradient_alignment, but the optimiser wrapper is '
                f'{type(wrapper).__name__}: use `mmkd train`, or set '
                "optim_wrapper.constructor='mmkd.DistillOptimWrapperConstructor'."
            )
        methods = distiller.named_methods
        by_iteration = isinstance(runner.train_loop, IterBasedTrainLoop)
        for name, method in methods.items():
            if method.schedule.by_epoch is None:
                method.schedule = replace(method.schedule, by_epoch=not by_iteration)
            times = method.schedule
            if by_iteration and times.by_epoch and not times.is_constant:
                self._epoch = _iterations_an_epoch(runner, name)
            end = _end(runner.train_loop, times, self._epoch)
            stop = end if times.stop is None else min(times.stop, end)
            if method.weight > 0 and times.stop != 0 and times.start > stop - 1:
                unit = 'epochs' if times.by_epoch else 'iterations'
                raise ValueError(
                    f'methods.{name} is never active: its start is {times.start}, its '
                    f'stop is {times.stop}, and this training has {end} {unit}, '
                    'counted from 0.'
                )
        if not all(method.schedule.is_constant for method in methods.values()):
            # Otherwise a compiled model never calls the taps of a method that starts
            # after it was compiled.
            compiler_config.skip_nnmodule_hook_guards = False
            wrapper.optimizer.register_step_pre_hook(partial(_skip_idle, distiller))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the factors for this iteration."""
        by_iteration = isinstance(runner.train_loop, IterBasedTrainLoop)
        for name, method in distiller_of(runner).named_methods.items():
            times = method.schedule
            if times.is_constant:
                continue
            step = runner.iter
            if times.by_epoch:
                step = step // self._epoch if by_iteration else runner.epoch
            method.schedule_factor = times.factor(step)
            hub = runner.message_hub
            hub.update_scalar(f'train/{name}_schedule_factor', method.schedule_factor)
            if not method.is_active:
                # Otherwise logs repeat the last value of a loss that has ended.
                for key in [k for k in hub.log_scalars if f'/{PREFIX}{name}.' in k]:
                    hub.log_scalars.pop(key)


def _skip_idle(distiller: Distiller, *_: Any) -> None:
    """Remove the gradients of idle methods, which are zero, before an update."""
    for method in distiller.named_methods.values():
        if not method.is_active:
            for parameter in method.parameters():
                # With a gradient of zero, weight decay would shrink it.
                parameter.grad = None


def _iterations_an_epoch(runner: Runner, name: str) -> int:
    """Iterations in which all processes together see as many images as the set has.

    Raises:
        ValueError: If that is unknown.
    """
    loader = runner.train_dataloader
    batches = getattr(loader, 'batch_sampler', None)
    batch = loader.batch_size or getattr(batches, 'batch_size', None)
    try:
        return math.ceil(len(loader.dataset) / (batch * get_world_size()))
    except TypeError:
        raise ValueError(
            f'methods.{name} counts epochs (by_epoch=True), but neither the loop nor '
            'the data define their length: set by_epoch=False, and start, warmup and '
            'stop in iterations.'
        ) from None


def _end(loop: BaseLoop, times: Schedule, epoch: int) -> float:
    """The length of a training, in the unit of a schedule."""
    iterations = getattr(loop, 'max_iters', math.inf)
    if not times.by_epoch:
        return iterations
    if isinstance(loop, IterBasedTrainLoop):
        return math.ceil(iterations / epoch) if iterations < math.inf else iterations
    return getattr(loop, 'max_epochs', math.inf)
