"""Whether the classes of a head exclude each other."""

from typing import Any

from torch import nn

BINARY = ('BCEWithLogitsLoss', 'FocalLoss')
"""Losses of one sigmoid for each class that have no switch ``use_sigmoid``."""


def is_exclusive(loss: Any) -> bool:
    """Tell a softmax over the classes from one sigmoid for each of them.

    Of several losses on the same logits one softmax is enough: the usual
    addition of a Dice loss, which takes sigmoids, changes nothing.

    Args:
        loss: The loss of a head, a list of them, or None if it is not known.
    """
    losses = loss if isinstance(loss, nn.ModuleList) else [loss]
    return not all(map(_is_binary, losses))


def _is_binary(loss: Any) -> bool:
    return isinstance(loss, nn.Module) and any(
        getattr(part, 'use_sigmoid', False) or type(part).__name__ in BINARY
        for part in loss.modules()
    )
