"""The time of a training, for methods with a schedule."""

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch._dynamo import config as compiler_config

from mmkd.engine.optim import GradientAlignOptimWrapper
from mmkd.engine.runner_distiller import distiller_of
from mmkd.models.distiller import PREFIX
from mmkd.registry import HOOKS


@HOOKS.register_module()
class DistillScheduleHook(Hook):
    """Tell methods the time, so that they count from when to when they are to.

    Sets ``schedule_factor`` of each method by its ``start``, ``warmup`` and
    ``stop``, which are epochs, or iterations where the training loop counts
    iterations. It follows from the time alone, so that a resumed run needs no
    state of it. Where there is a schedule the factor is logged as
    ``{method}_schedule_factor``.
    """

    def before_train(self, runner: Runner) -> None:
        """See that methods can do what they are asked for, and taps may change.

        Raises:
            TypeError: If gradients are to be aligned and are not.
            ValueError: If a method starts after the end, its own or the training's.
        """
        wrapper, distiller = runner.optim_wrapper, distiller_of(runner)
        asked = distiller.gradient_alignment
        if asked and not isinstance(wrapper, GradientAlignOptimWrapper):
            raise TypeError(
                'a method asks for gradient_alignment, and the optimiser wrapper is '
                f'{type(wrapper).__name__}: use tools/train.py, or set '
                "optim_wrapper.constructor='mmkd.DistillOptimWrapperConstructor'."
            )
        methods = distiller.named_methods
        loop = runner.train_loop
        unit = 'iters' if isinstance(loop, IterBasedTrainLoop) else 'epochs'
        end = getattr(loop, f'max_{unit}', math.inf)
        for name, method in methods.items():
            times = method.schedule
            stop = end if times.stop is None else min(times.stop, end)
            if method.weight > 0 and times.stop != 0 and times.start > stop - 1:
                raise ValueError(
                    f'methods.{name} never counts: its start is {times.start}, its '
                    f'stop {times.stop}, and this training ends with '
                    f'max_{unit}={end}, counted from 0.'
                )
        if not all(method.schedule.is_constant for method in methods.values()):
            # Else a compiled model never calls the taps of a method that starts
            # after it was compiled.
            compiler_config.skip_nnmodule_hook_guards = False

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the factors of an epoch."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            _tell(runner, runner.epoch)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the factors of an iteration."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            _tell(runner, runner.iter)


def _tell(runner: Runner, step: int) -> None:
    for name, method in distiller_of(runner).named_methods.items():
        if not method.schedule.is_constant:
            method.schedule_factor = method.schedule.factor(step)
            hub = runner.message_hub
            hub.update_scalar(f'train/{name}_schedule_factor', method.schedule_factor)
            if not method.is_active:
                # A log shows the last value of what comes no more.
                for key in [k for k in hub.log_scalars if f'/{PREFIX}{name}.' in k]:
                    hub.log_scalars.pop(key)
