"""Whether the classes of a head exclude each other."""

from typing import Any

from torch import nn

BINARY = ('BCEWithLogitsLoss', 'FocalLoss')
"""Losses with one sigmoid per class that have no ``use_sigmoid`` option."""


def is_exclusive(loss: Any) -> bool:
    """Distinguish a softmax over the classes from one sigmoid per class.

    If there are several losses on the same logits, one softmax is enough: adding
    a Dice loss, which uses sigmoids, changes nothing.

    Args:
        loss: The loss of a head, a list of losses, or None if it is unknown.
    """
    losses = loss if isinstance(loss, nn.ModuleList) else [loss]
    return not all(map(_is_binary, losses))


def _is_binary(loss: Any) -> bool:
    return isinstance(loss, nn.Module) and any(
        getattr(part, 'use_sigmoid', False) or type(part).__name__ in BINARY
        for part in loss.modules()
    )
