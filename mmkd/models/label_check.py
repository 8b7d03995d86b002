"""Checking labels before they reach a loss."""

from typing import Any

import torch
from torch import nn

from mmkd.models.tasks import Task


class LabelCheck:
    """Makes a data preprocessor refuse invalid labels, in training.

    What depends on the values of labels cannot be compiled: it runs as it is written.

    Args:
        task: How to read labels.
        num_classes: Channels of the student's logits.
    """

    def __init__(self, task: Task, num_classes: int) -> None:
        self.task = task
        self.num_classes = num_classes

    def watch(self, preprocessor: nn.Module) -> None:
        """Check the labels that a preprocessor gets, and those that it changes.

        Labels are checked before they reach a device, to avoid synchronising with it;
        the padding value was checked when the model was built. After the preprocessor
        they are checked again only if it mixes images.
        """
        preprocessor.register_forward_pre_hook(self._before)
        preprocessor.register_forward_hook(self._behind)

    @torch.compiler.disable
    def _before(self, preprocessor: nn.Module, args: tuple[Any, ...]) -> None:
        batch: Any = args[0] if args else None
        if preprocessor.training and _has_samples(batch):
            self.task.check_targets(batch['data_samples'], batch['inputs'])
            self.task.check_labels(batch['data_samples'], self.num_classes)

    @torch.compiler.disable
    def _behind(self, preprocessor: nn.Module, _: Any, batch: Any) -> None:
        mixes = getattr(preprocessor, 'batch_augments', None) is not None
        if mixes and preprocessor.training and _has_samples(batch):
            self.task.check_labels(batch['data_samples'], self.num_classes)


def _has_samples(batch: Any) -> bool:
    return isinstance(batch, dict) and batch.get('data_samples') is not None
