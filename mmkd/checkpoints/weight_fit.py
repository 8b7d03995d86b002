"""Checks that weights fit a network and can result from training."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmkd.nearest import listed


def load_whole(
    model: nn.Module, state: Mapping[str, Tensor], source: str, optional: Any = ()
) -> list[str]:
    """Load all weights of a network; none may stay random.

    Args:
        model: The network.
        state: The weights.
        source: The file they come from, for messages.
        optional: Prefix of the names of weights that may be missing, or a tuple
            of prefixes.

    Returns:
        The names that the network does not use.

    Raises:
        ValueError: If a weight is missing or has another shape; the message
            names the first few.
    """
    own = model.state_dict()
    missing, unread, shapes = _load(model, state, own)
    missing = [
        name
        for name in missing
        if name in own and own[name].is_floating_point()
        if not name.startswith(optional)
    ]
    if missing and not shapes:
        # Weights missing even after loading its own state dict are computed.
        computed, _, _ = _load(model, own, own)
        missing = [name for name in missing if name not in computed]
    if missing or shapes:
        raise ValueError(
            f'{source} does not fit {type(model).__name__}. Missing '
            f'keys: {listed(missing)}. Other shapes (does the class count '
            f'match?): {listed(shapes.values())}. '
            'Pass the config that the checkpoint was trained with.'
        )
    return unread


def check_beginning(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Refuse initial weights of another network.

    Heads may differ, as for other classes, and so may a few layers of the
    backbone, as for other images.

    Raises:
        ValueError: If more than a tenth of the backbone's weights in the file have
            other shapes (half of all weights in a model without a backbone), or fewer
            than a tenth of the backbone's weights are in the file.
    """
    own = model.state_dict()
    _, _, shapes = _load(model, state, own)
    whole = [name for name, value in own.items() if value.is_floating_point()]
    backbone = [name for name in whole if name.startswith('backbone.')]
    body, most = (backbone, 0.1) if backbone else (whole, 0.5)
    shared = [name for name in body if name in state]
    wrong = [shapes[name] for name in shared if name in shapes]
    if len(wrong) > most * len(shared) or len(shared) < 0.1 * len(body):
        raise ValueError(
            f'{source} belongs to another network than {type(model).__name__}: it has '
            f'{len(shared)} of {len(body)} weights, and {len(wrong)} of them have '
            f'other shapes ({listed(wrong)}). Pass the config that it was trained with.'
        )


def _load(
    model: nn.Module, state: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> tuple[list[str], list[str], dict[str, str]]:
    """Load what fits; return missing names, unread names and other shapes."""
    try:
        # Modules update older names and sizes here.
        missing, unread = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        names = re.findall(r'size mismatch for (\S+):', str(error))
        shapes = {
            name: f'{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}'
            for name in names
            if name in state and name in own
        }
        absent = [name for name in own if name not in state]
        return absent, [], shapes or {'': str(error)}
    return missing, unread, {}


def check_values(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str
) -> None:
    """Refuse values that cannot result from training.

    Args:
        state: The weights.
        own: The network's.
        source: The file they come from, for messages.

    Raises:
        ValueError: If floating-point weights of the network are integers, complex or
            not finite here, or if all of them are 0; the message names the first few.
    """
    fractions = {
        name: value
        for name, value in state.items()
        if name in own and own[name].is_floating_point()
    }
    for name, value in fractions.items():
        if value.is_meta or value.is_sparse or value.is_quantized:
            raise ValueError(
                f'{source}: {name} is not a plain tensor (layout {value.layout}, type '
                f'{value.dtype}, on {value.device}).'
            )
        if not value.is_floating_point():
            raise ValueError(
                f'{source}: {name} is of type {value.dtype}, but the network has '
                f'{own[name].dtype}. Is the file from a quantised network, or damaged?'
            )
    broken = [
        name
        for name, value in fractions.items()
        if not is_finite(value) and is_finite(own[name])
    ]
    if broken:
        raise ValueError(
            f'weights in {source} are not finite: {listed(broken)}. Its training '
            'diverged: pass a checkpoint from before that, or train it again.'
        )
    matrices = {name: value for name, value in fractions.items() if value.dim() > 1}
    if matrices and not any(value.any() for value in matrices.values()):
        raise ValueError(
            f'all weights in {source} are 0: {listed(matrices)}. It is not a trained '
            'network.'
        )


def is_finite(value: Tensor) -> bool:
    """Whether all numbers of a tensor are finite."""
    # PyTorch does not support this for one-byte types.
    wide = value.float() if value.element_size() == 1 else value
    # Non-finite values make the sum non-finite, which is much faster to check.
    return bool(wide.sum().isfinite() or wide.isfinite().all())
