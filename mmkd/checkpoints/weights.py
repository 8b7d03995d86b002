"""Finding the weights of a network in a checkpoint."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from mmkd.checkpoints.weight_fit import check_values
from mmkd.nearest import listed

WRAPPERS = ('module.', '_orig_mod.')
"""Prefixes that data parallelism and ``torch.compile`` add to names."""


def weights_for(model: nn.Module, content: Any, source: str) -> dict[str, Tensor]:
    """Find the weights of a network in the content of a file.

    They may be under a key other than ``state_dict``, or their names may have a
    prefix, as in a whole model that they are a part of. If exactly one place has
    names of the network, it is used, and logged.

    Args:
        model: The network.
        content: The content of the file.
        source: The file, for messages.

    Returns:
        A state dict with the network's names, some of which may be missing.

    Raises:
        ValueError: If it holds none of the network's weights, several sets of
            them, or invalid values: integers where the network has floating-point
            numbers, complex or infinite ones, nothing but zeros.
    """
    own = model.state_dict()
    found = [
        (place, state)
        for entry, tensors in _entries(content)
        for place, state in _fitting(entry, tensors, own)
    ]
    if len(found) != 1:
        number = f'several sets of weights ({listed(place for place, _ in found)})'
        raise ValueError(
            f'{source} holds {number if found else "no weights"} for '
            f'{type(model).__name__}, whose names begin with '
            f'{listed(beginnings(own))}; it holds {_description(content)}. '
            + HOW_TO_SAVE
        )
    [(place, state)] = found
    if place:
        print_log(f'the weights in {source} are from {place}', logger='current')
    check_values(state, own, source)
    return state


HOW_TO_SAVE = (
    'Save only the weights that are meant, under these names: '
    'torch.save(dict(state_dict=...), FILE). To load only a backbone, set '
    "init_cfg=dict(type='Pretrained', checkpoint=FILE) of the backbone."
)


def _entries(content: Any) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Places where weights may be, and these weights; the usual place is ``''``."""
    if not isinstance(content, Mapping):
        return
    usual = content.get('state_dict')
    if isinstance(usual, Mapping):
        yield '', _tensors(usual)
        return
    yield '', _tensors(content)
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield f'its entry {key!r}', _tensors(value)


def _tensors(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    tensors = OrderedDict(
        (_unwrapped(name), value)
        for name, value in state.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    )
    # Module versions, with which modules read older checkpoints.
    versions = getattr(state, '_metadata', None) or {}
    tensors._metadata = {  # type: ignore[attr-defined]
        _unwrapped(f'{name}.')[:-1]: version for name, version in versions.items()
    }
    return tensors


def _fitting(
    entry: str, tensors: dict[str, Tensor], own: Mapping[str, Tensor]
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The weights as they are, or else those under each prefix."""
    if any(name in own for name in tensors):
        yield entry, tensors
        return
    for prefix in beginnings(tensors):
        inside = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        if any(name in own for name in inside):
            yield f'{entry or "the names"} under {prefix!r}', inside


def _unwrapped(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name.replace('._orig_mod.', '.')


def beginnings(names: Iterable[str]) -> list[str]:
    """The distinct first words of names, with the dot after them."""
    words = (name.partition('.')[:2] for name in names)
    return list(dict.fromkeys(word + dot for word, dot in words))


def _description(content: Any) -> str:
    if isinstance(content, Tensor):
        return f'a tensor of shape {tuple(content.shape)}'
    if not isinstance(content, Mapping):
        size = f' of {len(content)}' if hasattr(content, '__len__') else ''
        return f'a {type(content).__name__}{size}'
    inner = content.get('state_dict')
    where, names = ('in its state_dict', inner) if isinstance(inner, Mapping) else (
        'the entries', content
    )
    kinds = {type(value).__name__ for value in names.values()}
    kind = f' of type {kinds.pop()}' if len(kinds) == 1 else ''
    return f'{where} {listed(beginnings(map(str, names)))}{kind}'
