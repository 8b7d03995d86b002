"""Labels are looked at before they reach a device."""

from typing import Any

from torch import nn

from mmkd.models.tasks import Task


class LabelCheck:
    """A forward pre-hook of a data preprocessor that stops at impossible labels.

    Args:
        task: How labels are read.
        num_classes: Channels of the student's logits.
    """

    def __init__(self, task: Task, num_classes: int) -> None:
        self.task = task
        self.num_classes = num_classes

    def __call__(self, preprocessor: nn.Module, args: tuple[Any, ...]) -> None:
        """Check a batch in training.

        Raises:
            ValueError: See :meth:`mmkd.models.tasks.Task.check_labels`.
        """
        batch = args[0] if args else None
        samples = batch.get('data_samples') if isinstance(batch, dict) else None
        if preprocessor.training and samples is not None:
            self.task.check_labels(samples, self.num_classes)
