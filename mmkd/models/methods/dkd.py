"""Decoupled knowledge distillation."""

from mmkd.models.methods.logit import LogitMethod
from mmkd.registry import METHODS


@METHODS.register_module()
class DKD(LogitMethod):
    """Weight the target and non-target parts of the KD loss separately.

    Images and pixels.

    Source: Zhao et al., "Decoupled Knowledge Distillation"
    (https://arxiv.org/abs/2203.08679), with the settings of
    https://github.com/megvii-research/mdistiller, whose warm-up is 20 epochs.
    """

    default_loss = {'type': 'DKDLoss'}  # noqa: RUF012
