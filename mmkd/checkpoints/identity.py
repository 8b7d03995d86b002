"""What a training run is made of, as text that a later run can compare."""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from os import PathLike
from typing import Any

import torch
from torch import Tensor

UNSET = 'not set'
"""Placeholder for a missing value."""

BEGINNING = ('init_cfg', 'pretrained')
"""Fields of a model's config that name its initial weights."""


def meta_of(checkpoint: Any) -> dict[str, Any]:
    """The metadata of a checkpoint, empty if it has none."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    return meta if isinstance(meta, dict) else {}


def text_of(config: Any) -> str:
    """A config as text, equal for configs that build the same thing.

    Args:
        config: A model dict or a dict of methods. Its fields that name initial
            weights are left out.
    """
    return json.dumps(without(config, BEGINNING), sort_keys=True, default=name_of)


def name_of(value: Any) -> str:
    """What is no plain value as text that is the same in every process.

    Args:
        value: A function or class, which is named, or an object, whose address in
            memory is left out.
    """
    name = getattr(value, '__qualname__', None)
    if name is not None:
        return f'{value.__module__}.{name}'
    return re.sub(r' at 0x[0-9a-f]+', '', str(value))


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """The SHA-256 of weights: their names, types, shapes and values.

    It does not depend on where their file is and what else it contains.

    Args:
        state: The state dict.
    """
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(content.numpy().data)
    return digest.hexdigest()


def file_hash(file: str | PathLike[str]) -> str:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(file, 'rb') as content:
        for block in iter(partial(content.read, 1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def hash_of_local(name: str | None) -> str | None:
    """The SHA-256 of a local file; None if there is none, as for an address.

    Args:
        name: Its path, in which ``~`` is the home folder.
    """
    file = os.path.expanduser(name or '')
    return file_hash(file) if os.path.isfile(file) else None


def without(config: Any, names: Collection[str]) -> Any:
    """A config as plain dicts and lists, without these keys at any depth."""
    if isinstance(config, Mapping):
        kept = {str(k): v for k, v in config.items() if k not in names}
        return {key: without(inner, names) for key, inner in kept.items()}
    if isinstance(config, (list, tuple)):
        return [without(inner, names) for inner in config]
    return config


def differences(was: Any, now: Any, place: str = '') -> Iterator[tuple[str, Any, Any]]:
    """Where two plain configs differ, with the value in each.

    Args:
        was: A config value, a dict or list of values, or :data:`UNSET`; None counts
            as unset if the other value is a dict.
        now: The value to compare it with.
        place: Their name.
    """
    inner = [dict(enumerate(v)) if isinstance(v, list) else v for v in (was, now)]
    dicts = [{} if value in (None, UNSET) else value for value in inner]
    if was != now and all(isinstance(value, dict) for value in dicts):
        for key in {**dicts[0], **dicts[1]}:
            where = f'{place}.{key}' if place else str(key)
            there, here = (value.get(key, UNSET) for value in dicts)
            yield from differences(there, here, where)
    elif was != now:
        yield place, was, now
