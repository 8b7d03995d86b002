"""Base of hooks that read one tap of a model during validation."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmkd.models.discovery import ModelView, view_of
from mmkd.models.taps import Tap, find_module, first_tensor
from mmkd.models.watching import watch
from mmkd.resilience.runner_model import model_of
from mmkd.structures import Targets


class ValidationTapHook(Hook):
    """Read a tap for every validation sample, with the sample's targets.

    It works for a distiller's student and for a plain model. It does not change the
    model and draws no random numbers.
    """

    looked_for: ClassVar[str]
    """What is measured, for the warning if it cannot be."""

    def __init__(self) -> None:
        self._seen: list[Tensor] = []
        self._end: Callable[[], None] = lambda: None
        self._whole = True
        self._told = False

    @abstractmethod
    def tap(self, view: ModelView) -> Tap:
        """The tap to read."""

    @abstractmethod
    def begin(self) -> None:
        """Clear what an earlier validation has collected."""

    @abstractmethod
    def add(self, value: Tensor, targets: Targets) -> None:
        """Add some samples.

        Args:
            value: The value of the tap, ``(N, C, *)``.
            targets: Targets of the samples, at the resolution of the value.
        """

    @abstractmethod
    def measures(self) -> dict[str, float]:
        """The measures to log for this validation, by name; all processes call it."""

    def before_run(self, runner: Runner) -> None:
        """Find the tap."""
        self._view = view_of(model_of(runner))
        self._tap = self.tap(self._view)

    def before_val_epoch(self, runner: Runner) -> None:
        """Start to read the tap."""
        self.begin()
        self._whole = True
        self._seen.clear()
        module = find_module(self._view.model, self._tap.path)
        self._end = watch(module, self._tap.kind, partial(self._note, self._seen))

    @staticmethod
    def _note(seen: list[Tensor], value: Any) -> None:
        seen.append(first_tensor(value).detach())

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Add the samples of a batch, whose labels are in its predictions."""
        values, task = list(self._seen), self._view.task
        self._seen.clear()
        whole = len(values) == 1 and len(values[0]) == len(outputs or ())
        if not whole or not task.one_class_each:
            self._whole = False
            return
        [value] = values
        # Labels of one batch may differ in size.
        alike = len({task.labels_of(sample).shape for sample in outputs}) == 1
        size = len(value) if alike else 1
        for begin in range(0, len(value), size):
            samples = outputs[begin : begin + size]
            targets = task.targets(samples).resized(value.shape[2:])
            self.add(value[begin : begin + size], targets)

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Log the measures, unless a process could not measure all of its images."""
        self._end()
        whole = torch.tensor(float(self._whole))
        all_reduce(whole, 'min')
        if not whole:
            self._tell(runner)
            return
        for name, value in self.measures().items():
            runner.message_hub.update_scalar(f'val/{name}', value)

    def _tell(self, runner: Runner) -> None:
        if self._told:
            return
        self._told = True
        why = (
            'the classifier does not run once for each batch, as in sliding windows'
            if self._view.task.one_class_each
            else 'images have several labels'
        )
        runner.logger.warning(f'{self.looked_for} is not measured: {why}.')
