"""The original knowledge distillation."""

from mmkd.models.methods.logit import LogitMethod
from mmkd.registry import METHODS


@METHODS.register_module()
class LogitsKD(LogitMethod):
    """Teach the teacher's softened class probabilities to the main classifier.

    ``weight * tau^2 * KL(teacher || student)``. The source's ``alpha`` is
    ``weight=alpha, task_weight=1 - alpha``; 0.9 and ``tau`` 4 are from Multi-Head
    KD, section 4.1. Images and pixels.

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural
    Network" (https://arxiv.org/abs/1503.02531), section 2.
    """

    weight = 0.9
    default_loss = {'type': 'KLDivergenceLoss', 'tau': 4.0}  # noqa: RUF012
