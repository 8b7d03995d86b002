"""The time of a training, for methods with a schedule."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmkd.engine.optim import GradientAlignOptimWrapper
from mmkd.engine.unwrap import distiller_of
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
        """See that gradients are aligned where a method asks for it.

        Raises:
            TypeError: If they are not.
        """
        wrapper = runner.optim_wrapper
        asked = distiller_of(runner).gradient_alignment
        if asked and not isinstance(wrapper, GradientAlignOptimWrapper):
            raise TypeError(
                'a method asks for gradient_alignment, and the optimiser wrapper is '
                f'{type(wrapper).__name__}: use tools/train.py, or set '
                "optim_wrapper.constructor='mmkd.DistillOptimWrapperConstructor'."
            )

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
            runner.message_hub.update_scalar(
                f'train/{name}_schedule_factor', method.schedule_factor
            )
