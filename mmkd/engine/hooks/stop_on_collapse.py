"""Stops a training whose student has collapsed."""

import re

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmkd.models.discovery import view_of
from mmkd.nearest import nearest_and_known
from mmkd.registry import HOOKS
from mmkd.resilience.runner_model import model_of

CHANCE = 1.1
"""How much better than chance a student must be, as in the paper's code."""

TOP_K = re.compile(r'accuracy/top(\d+)')
"""Scores whose chance level is known: how often the right class is among k."""


@HOOKS.register_module()
class StopOnCollapseHook(Hook):
    """Stop a training whose score is still at chance level.

    Source: the code of Yang et al., Dual-Head Knowledge Distillation
    (``train_student_imagenet.py``), which ends a training at a top-1 accuracy below
    1.1 % after epoch 10.

    Args:
        monitor: The score, by its name in validation.
        bound: Training stops below this value, in the score's unit; None for 1.1 times
            the accuracy of guessing k of the classes for top-k, in per cent.
        begin: Epochs, or iterations if the training counts those, during which the
            score is ignored.

    Raises:
        ValueError: If ``begin`` is negative, or no bound is given for a score that is
            not a top-k accuracy.
    """

    def __init__(
        self,
        monitor: str = 'accuracy/top1',
        bound: float | None = None,
        begin: int = 10,
    ) -> None:
        if begin < 0:
            raise ValueError(f'begin must not be negative, got {begin}.')
        top_k = TOP_K.fullmatch(monitor)
        if bound is None and not top_k:
            raise ValueError(
                f'the chance level of {monitor!r} is unknown: set bound to the score '
                'below which a student has collapsed.'
            )
        self.monitor, self.bound, self.begin = monitor, bound, begin
        self._guesses = int(top_k[1]) if top_k else 0

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Check the score.

        Raises:
            ValueError: If validation has no such score.
        """
        found = metrics or {}
        if self.monitor not in found:
            raise ValueError(
                f'StopOnCollapseHook watches {self.monitor!r}, which validation does '
                f'not report.{nearest_and_known(self.monitor, sorted(found))}'
            )
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        done = runner.epoch if by_epoch else runner.iter
        if self.bound is None:
            classes = max(view_of(model_of(runner)).num_classes, 2)
            self.bound = min(CHANCE * self._guesses / classes, 1) * 100
        score = found[self.monitor]
        if done > self.begin and score < self.bound:
            runner.logger.error(
                f'The student has collapsed: {self.monitor} is {score:.2f}, below '
                f'{self.bound:.2f}. The training stops here.'
            )
            runner.train_loop.stop_training = True
