"""Labels are looked at before they reach a loss."""

from typing import Any

from torch import nn

from mmkd.models.tasks import Task


class LabelCheck:
    """Lets a data preprocessor stop at impossible labels, in training.

    Args:
        task: How labels are read.
        num_classes: Channels of the student's logits.
    """

    def __init__(self, task: Task, num_classes: int) -> None:
        self.task = task
        self.num_classes = num_classes

    def watch(self, preprocessor: nn.Module) -> None:
        """Look at what a preprocessor is given, and at what it changes in it.

        Labels are looked at before they reach a device, which would have to be waited
        for; what padding adds was looked at when the model was built. Behind the
        preprocessor they are looked at again only where it mixes images.
        """
        preprocessor.register_forward_pre_hook(self._before)
        preprocessor.register_forward_hook(self._behind)

    def _before(self, preprocessor: nn.Module, args: tuple[Any, ...]) -> None:
        batch: Any = args[0] if args else None
        if preprocessor.training and _has_samples(batch):
            self.task.check_targets(batch['data_samples'], batch['inputs'])
            self.task.check_labels(batch['data_samples'], self.num_classes)

    def _behind(self, preprocessor: nn.Module, _: Any, batch: Any) -> None:
        mixes = getattr(preprocessor, 'batch_augments', None) is not None
        if mixes and preprocessor.training and _has_samples(batch):
            self.task.check_labels(batch['data_samples'], self.num_classes)


def _has_samples(batch: Any) -> bool:
    return isinstance(batch, dict) and batch.get('data_samples') is not None
