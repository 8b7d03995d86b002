"""Structured knowledge distillation."""


from torch import Tensor

from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.taps import Taps
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class SKD(FeatureMethod):
    """Match the similarities between the regions of an image.

    Pixels only. It has no parameters, and widths may differ. The paper's
    pixel-wise distillation is ``LogitsKD``; its adversarial part is not implemented.

    Source: Liu et al., "Structured Knowledge Distillation for Dense
    Prediction" (https://arxiv.org/abs/1903.04197), section 3.1.2, with the
    regions of 2 x 2 pixels and the weight 10 of https://github.com/winycg/CIRKD.
    """

    weight = 10.0
    default_loss = {'type': 'PairwiseAffinityLoss'}  # noqa: RUF012
    only_for = 'pixels'
    instead = (
        'SKD compares the regions of an image. Use RKD, which compares the '
        'images of a batch, for images.'
    )

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The pairwise loss, a scalar."""
        return {'loss': self.loss_fn(*self.maps(student_taps, teacher_taps))}
