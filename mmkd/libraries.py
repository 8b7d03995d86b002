"""Whose code a part of a training is."""

from typing import Any

PACKAGES = ('mmcv', 'mmengine', 'mmkd', 'mmpretrain', 'mmseg', 'torch', 'torchvision')


def is_of_library(part: Any) -> bool:
    """Whether a class or function is one of these packages', not a user's own.

    Args:
        part: The class or function; an instance counts as its class.
    """
    return str(getattr(part, '__module__', '')).partition('.')[0] in PACKAGES
