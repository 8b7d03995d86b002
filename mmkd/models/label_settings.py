"""Checks that the settings of a model agree on the labels."""

from collections.abc import Iterator
from typing import Any

from torch import nn


def check_class_weights(model: Any, place: str, num_classes: int | None = None) -> None:
    """Refuse losses whose number of class weights is not that of their head's classes.

    Args:
        model: The config of a model or of a part of it.
        place: Its path in the whole config.
        num_classes: The class count of the part that it belongs to.

    Raises:
        ValueError: If there is one; the message names its place.
    """
    if isinstance(model, (list, tuple)):
        for number, part in enumerate(model):
            check_class_weights(part, f'{place}[{number}]', num_classes)
    if not isinstance(model, dict):
        return
    own = model.get('num_classes') or num_classes
    weights = model.get('class_weight')
    if isinstance(weights, (list, tuple)) and own and len(weights) != own:
        raise ValueError(
            f'{place}.class_weight has {len(weights)} weights, but its head has {own} '
            'classes (num_classes): give one weight per class, or None.'
        )
    if 'assigner' in (model.get('train_cfg') or {}):
        # Heads that predict masks also have a weight for the class "no object".
        own = own and own + 1
    for key, part in model.items():
        check_class_weights(part, f'{place}.{key}', own)


def check_padding(model: nn.Module) -> None:
    """Refuse a padding label that a head neither ignores nor has as a class.

    Args:
        model: A model with its data preprocessor; one that pads no labels passes.

    Raises:
        ValueError: If there is such a head; the message names both settings.
    """
    preprocessor = getattr(model, 'data_preprocessor', None)
    padding = getattr(preprocessor, 'seg_pad_val', None)
    if padding is None:
        return
    for name, head in _heads(model):
        if padding != head.ignore_index and not 0 <= padding < head.num_classes:
            raise ValueError(
                f'data_preprocessor.seg_pad_val is {padding}, the label of padding, '
                f'but {name}.ignore_index is '
                f'{head.ignore_index} and its {head.num_classes} classes end at '
                f'{head.num_classes - 1}: set data_preprocessor=dict(seg_pad_val='
                f'{head.ignore_index}), or another ignore_index.'
            )


def _heads(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, module in model.named_modules():
        if hasattr(module, 'ignore_index') and getattr(module, 'num_classes', None):
            yield name, module
