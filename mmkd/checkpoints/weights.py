"""Where in a checkpoint the weights of a network are."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from mmkd.checkpoints.weight_fit import check_values
from mmkd.nearest import listed

WRAPPERS = ('module.', '_orig_mod.')
"""What data parallelism and compiling put before names."""


def weights_for(model: nn.Module, content: Any, source: str) -> dict[str, Tensor]:
    """Find the weights of a network in what was read from a file.

    They may stand under another key than ``state_dict``, or under names with
    something before them, as a whole model has that they are a part of: where
    one place alone has names of the network's, it is taken, and said.

    Args:
        model: The network.
        content: What the file holds.
        source: Which file, for messages.

    Returns:
        A state dict with the network's names, which may lack some.

    Raises:
        ValueError: If it holds none of the network's weights, those of several
            networks of the kind, or values that are none: integers where the
            network has fractions, complex or infinite ones, nothing but zeros.
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
        print_log(f'the weights in {source} are those of {place}', logger='current')
    check_values(state, own, source)
    return state


HOW_TO_SAVE = (
    'Save the weights that are meant alone, under these names: '
    "torch.save(dict(state_dict=...), FILE). A backbone's alone are "
    "init_cfg=dict(type='Pretrained', checkpoint=FILE) of the backbone."
)


def _entries(content: Any) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Where weights may be, the usual place having no name, and what is there."""
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
    # The versions of modules, by which they read what older ones wrote.
    versions = getattr(state, '_metadata', None) or {}
    tensors._metadata = {  # type: ignore[attr-defined]
        _unwrapped(f'{name}.')[:-1]: version for name, version in versions.items()
    }
    return tensors


def _fitting(
    entry: str, tensors: dict[str, Tensor], own: Mapping[str, Tensor]
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The weights as they are, or else what stands behind each first word."""
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
    """The first words of names, each once, with the dot behind them."""
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
