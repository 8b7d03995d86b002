"""Relational knowledge distillation."""


from torch import Tensor

from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.taps import Taps
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class RKD(FeatureMethod):
    """Match the distances and angles among the pooled features of a batch.

    Images only. It has no parameters, and widths may differ.

    Source: Park et al., "Relational Knowledge Distillation"
    (https://arxiv.org/abs/1904.05068), on the features and with the weights of
    https://github.com/HobbitLong/RepDistiller.
    """

    default_loss = {'type': 'RKDLoss'}  # noqa: RUF012
    only_for = 'images'
    instead = (
        'RKD relates the images of a batch and does not apply to pixels. Use SKD '
        '(within an image) or CIRKD (across images) for pixels.'
    )

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The distance and the angle loss together, a scalar."""
        return {'loss': self.loss_fn(*self.vectors(student_taps, teacher_taps))}
