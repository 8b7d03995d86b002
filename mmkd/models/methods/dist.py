"""Distillation from a stronger teacher."""

from mmkd.models.methods.logit import LogitMethod
from mmkd.registry import METHODS


@METHODS.register_module()
class DIST(LogitMethod):
    """Match how class probabilities correlate, between and within classes.

    Images and pixels.

    Source: Huang et al., "Knowledge Distillation from A Stronger Teacher"
    (https://arxiv.org/abs/2205.10536), with the weights of
    https://github.com/hunto/DIST_KD. For segmentation, that code also compares
    the auxiliary heads; this method compares only the main classifiers.
    """

    default_loss = {'type': 'DISTLoss'}  # noqa: RUF012
