"""Channel-wise knowledge distillation."""

from mmkd.models.methods.logit import LogitMethod
from mmkd.registry import METHODS


@METHODS.register_module()
class CWD(LogitMethod):
    """Match where in the image the logits of each class are high.

    Pixels only. Weights of 3 to 5 are common.

    Source: Shu et al., "Channel-wise Knowledge Distillation for Dense
    Prediction" (https://arxiv.org/abs/2011.13256), on logits. As everywhere in
    mmkd, ignored pixels do not count; in the published code they do.
    """

    weight = 3.0
    default_loss = {'type': 'ChannelWiseDivergenceLoss'}  # noqa: RUF012
    only_for = 'pixels'
    instead = (
        'CWD compares where in a map a class is seen, but logits of images are '
        'not maps. Use LogitsKD, DKD or DIST for images.'
    )
