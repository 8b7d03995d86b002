"""The cross-entropy on the validation set, besides its score."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmkd.engine.hooks.validation_tap import ValidationTapHook
from mmkd.models.discovery import ModelView
from mmkd.models.taps import Tap
from mmkd.registry import HOOKS
from mmkd.structures import Targets


@HOOKS.register_module()
class ValidationLossHook(ValidationTapHook):
    """Log the cross-entropy of the validation set as ``val/cross_entropy``.

    It is computed from the model's logits, whatever the training loss is: the mean over
    the images, or over the labelled pixels at the resolution of the logits. So it
    compares students trained with different losses, as the second curve of Figure 2 in
    Yang et al., Dual-Head Knowledge Distillation, does.
    """

    looked_for = 'The validation loss'

    def tap(self, view: ModelView) -> Tap:
        """The logits."""
        return view.logits

    def begin(self) -> None:
        """Reset the sums."""
        self._sum_and_count = torch.zeros(2, dtype=torch.float64)

    def add(self, value: Tensor, targets: Targets) -> None:
        """Add the cross-entropy of some samples."""
        count = int(targets.valid.sum())
        loss = targets.cross_entropy(value).item()
        self._sum_and_count += torch.tensor([loss * count, count])

    def measures(self) -> dict[str, float]:
        """The mean, if anything has a class."""
        all_reduce(self._sum_and_count)
        total, count = self._sum_and_count.tolist()
        return {'cross_entropy': total / count} if count else {}
