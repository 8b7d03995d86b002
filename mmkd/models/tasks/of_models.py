"""The task of a model, inferred from its head."""

from typing import Any

from torch import nn

from mmkd.models.tasks.base import Task
from mmkd.models.tasks.exclusive import is_exclusive
from mmkd.models.tasks.images import ImageTask
from mmkd.models.tasks.pixels import PixelTask


def task_of(model: Any) -> Task:
    """Distinguish a classifier from a segmentor by its head.

    Raises:
        TypeError: If the model has neither a ``head`` nor a ``decode_head``.
    """
    head = _main_head(model)
    if head is not None and hasattr(model, 'decode_head'):
        exclusive = is_exclusive(getattr(head, 'loss_decode', None))
        count = class_count(model)
        classes = None if count is None else max(count, 2)
        return PixelTask(head.align_corners, head.ignore_index, exclusive, classes)
    if head is not None:
        several = any(c.__name__ == 'MultiLabelClsHead' for c in type(head).__mro__)
        exclusive = not several and is_exclusive(getattr(head, 'loss_module', None))
        return ImageTask(exclusive, several, _width(head))
    raise TypeError(
        f'{type(model).__name__} has neither a `head` (MMPretrain classifier) '
        'nor a `decode_head` (MMSegmentation segmentor).'
    )


def class_count(model: Any) -> int | None:
    """How many classes a model's head is built for; None if it does not say."""
    return getattr(_main_head(model), 'num_classes', None)


def threshold_of(model: Any) -> float | None:
    """The probability above which the library predicts a class by its own sigmoid.

    Returns:
        That of MMSegmentation for a head with a single channel, or of MMPretrain for
        several labels; None if the highest logits are predicted.
    """
    head = _main_head(model)
    if not hasattr(model, 'decode_head'):
        return head.thr if getattr(task_of(model), 'several_labels', False) else None
    return head.threshold if getattr(head, 'out_channels', None) == 1 else None


def _main_head(model: Any) -> Any:
    """The head that predicts: the last one if they are cascaded."""
    head = getattr(model, 'decode_head', None) or getattr(model, 'head', None)
    return head[-1] if isinstance(head, nn.ModuleList) else head


def _width(head: nn.Module) -> int:
    """Channels of a head's last layer."""
    layers = [m for m in head.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    return layers[-1].weight.shape[0] if layers else 0


def set_num_classes(model: dict[str, Any], num_classes: int) -> None:
    """Set the class count wherever a model config has that of its main head.

    Besides heads, including cascaded and nested ones, these are smoothed losses,
    preprocessors that mix images, and backbones that end in a classifier. A count of
    something else, such as STDC's of boundaries, is kept.

    Args:
        model: The config of a classifier or segmentor; changed in place.
        num_classes: The number of classes.
    """
    head = model.get('decode_head') or model.get('head')
    main = head[-1] if isinstance(head, (list, tuple)) else head or {}
    _replace_count(model, main.get('num_classes'), num_classes)


def _replace_count(part: Any, own: int | None, new: int) -> None:
    """Replace a class count by another; all counts if the own one is not known."""
    if isinstance(part, dict):
        count = part.get('num_classes') or 0
        # Backbones without a classifier have 0 or -1 here.
        if count > 0 and own in (None, count):
            part['num_classes'] = new
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for inner in part:
            _replace_count(inner, own, new)
