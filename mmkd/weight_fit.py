"""Whether weights are those of a network, and such as training gives."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn


def load_whole(
    model: nn.Module, state: Mapping[str, Tensor], source: str, optional: Any = ()
) -> list[str]:
    """Load weights into a network of which none may stay random.

    Args:
        model: The network.
        state: The weights.
        source: Which file they are from, for messages.
        optional: What the names of weights begin with that may be missing, a
            string or a tuple of them.

    Returns:
        The names that the network has no use for.

    Raises:
        ValueError: If a weight is missing or has another shape; the message
            names the first few.
    """
    own, unread, shapes = model.state_dict(), [], []
    missing = [name for name in own if name not in state]
    try:
        # Modules that know older names or sizes bring them up to date here.
        missing, unread = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        shapes = _other_shapes(state, own) or [str(error)]
    missing = [
        name
        for name in missing
        if name in own and own[name].is_floating_point()
        if not name.startswith(optional)
    ]
    if missing or shapes:
        raise ValueError(
            f'{source} does not fit {type(model).__name__}. Missing '
            f'keys: {listed(missing)}. Other shapes (is its class count the '
            f"network's?): {listed(shapes)}. "
            'Pass the config that the checkpoint was trained with.'
        )
    return unread


def check_shapes(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Refuse the weights of another network of the same names to begin with.

    Another head, as for other classes, is a beginning all the same.

    Raises:
        ValueError: If more weights have another shape than the network's.
    """
    own = model.state_dict()
    shared = [name for name in state if name in own and own[name].is_floating_point()]
    shapes = _other_shapes(state, own)
    if len(shapes) > len(shared) / 2:
        raise ValueError(
            f'{source} is of another network than {type(model).__name__}: '
            f'{len(shapes)} of {len(shared)} weights have other shapes, '
            f'{listed(shapes)}. Pass the config that it was trained with.'
        )


def check_values(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str
) -> None:
    """Refuse values that no training gives.

    Args:
        state: The weights.
        own: The network's.
        source: Which file they are from, for messages.

    Raises:
        ValueError: If the network has fractions where they are integers, complex or
            not finite, or if all of them are 0; the message names the first few.
    """
    fractions = {
        name: value
        for name, value in state.items()
        if name in own and own[name].is_floating_point()
    }
    for name, value in fractions.items():
        if value.is_meta or value.is_sparse or value.is_quantized:
            raise ValueError(
                f'{source}: {name} is no plain tensor (layout {value.layout}, type '
                f'{value.dtype}, on {value.device}).'
            )
        if not value.is_floating_point():
            raise ValueError(
                f'{source}: {name} is of type {value.dtype}, and the network has '
                f'{own[name].dtype}. Is the file of a quantised network, or damaged?'
            )
    broken = [
        name
        for name, value in fractions.items()
        if not is_finite(value) and is_finite(own[name])
    ]
    if broken:
        raise ValueError(
            f'weights in {source} are not finite: {listed(broken)}. Its training '
            'had diverged: pass a checkpoint from before that, or train it again.'
        )
    matrices = {name: value for name, value in fractions.items() if value.dim() > 1}
    if matrices and not any(value.any() for value in matrices.values()):
        raise ValueError(
            f'all weights in {source} are 0: {listed(matrices)}. It is no trained '
            'network.'
        )


def is_finite(value: Tensor) -> bool:
    """Whether all numbers of a tensor are finite."""
    # PyTorch does not ask this of its types of one byte.
    wide = value.float() if value.element_size() == 1 else value
    return bool(wide.isfinite().all())


def _other_shapes(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> list[str]:
    return [
        f'{name} {tuple(value.shape)} for {tuple(own[name].shape)}'
        for name, value in state.items()
        if name in own and value.shape != own[name].shape
    ]


def listed(names: Iterable[str], count: int = 5) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    rest = len(names) - count
    shown = ', '.join(names[:count]) or 'none'
    return f'{shown} and {rest} more' if rest > 0 else shown
