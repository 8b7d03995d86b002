"""Decoupled knowledge distillation."""

from collections.abc import Mapping

from torch import Tensor

from mmkd.models.methods.logit import LogitMethod
from mmkd.models.taps import Tap
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class DKD(LogitMethod):
    """Weigh the target and the non-target part of the KD loss apart.

    Images and pixels.

    Source: Zhao et al., "Decoupled Knowledge Distillation"
    (https://arxiv.org/abs/2203.08679), with the settings of
    https://github.com/megvii-research/mdistiller, whose warm-up is 20 epochs.
    """

    default_loss = {'type': 'DKDLoss'}  # noqa: RUF012

    def loss(
        self,
        student_taps: Mapping[Tap, Tensor],
        teacher_taps: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """Both parts together, a scalar.

        Raises:
            ValueError: If images are mixed, which have no single target class.
        """
        if targets.scores is not None:
            raise ValueError(
                'DKD needs one target class for every image: leave out mixup and '
                'CutMix (batch_augments of the data preprocessor), or use LogitsKD.'
            )
        logits, expected, targets = self.compared(student_taps, teacher_taps, targets)
        loss = self.loss_fn(logits, expected, targets.labels, mask=targets.valid)
        return {'loss': loss}
