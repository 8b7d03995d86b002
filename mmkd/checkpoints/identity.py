"""What a training is made of, as text that a later one can compare."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

BEGINNING = ('init_cfg', 'pretrained')
"""What a model's config says of the weights it begins with."""


def text_of(config: Any) -> str:
    """A config as text: alike for configs that make the same thing.

    Args:
        config: A model dict or a dict of methods. What it says of the weights
            that the training begins with is left out.
    """
    return json.dumps(without(config, BEGINNING), sort_keys=True, default=str)


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """The SHA-256 of weights: their names, types, shapes and values.

    It is the same wherever their file stands and whatever else that holds.

    Args:
        state: The state dict.
    """
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(content.numpy().data)
    return digest.hexdigest()


def without(config: Any, names: Collection[str]) -> Any:
    """A config of plain dicts and lists, at no depth with a key of these names."""
    if isinstance(config, Mapping):
        kept = {str(k): v for k, v in config.items() if k not in names}
        return {key: without(inner, names) for key, inner in kept.items()}
    if isinstance(config, (list, tuple)):
        return [without(inner, names) for inner in config]
    return config
