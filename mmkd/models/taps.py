"""Capturing inputs and outputs of named modules while a model runs."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from mmkd.models.tokens import AS_IT_IS, Layout
from mmkd.models.watching import KINDS, Kind, watch


@dataclass(frozen=True)
class Tap:
    """One place in a model where a tensor is captured.

    Attributes:
        path: Module path as in ``named_modules``, such as ``'backbone.layer2'``;
            ``''`` is the model itself.
        kind: Whether to capture the module's input or its output; ``'forward'`` is
            what its method ``forward`` returns without optional arguments, such
            as labels, even if a model calls that method itself.
        call: Which call of the module, from 0, if one forward pass calls it several
            times, as a residual block does its ReLU.
        number: Which tensor, if the module takes or returns several: counted
            from 0, depth first.
        layout: How the tensor stores a feature map; it is used to convert the
            captured tensor to ``(N, C, H, W)``.

    Raises:
        ValueError: If ``kind`` is unknown, or ``call`` is not a non-negative integer.
    """

    path: str
    kind: Kind = 'output'
    call: int = 0
    number: int = 0
    layout: Layout = AS_IT_IS


    def __post_init__(self) -> None:
        """Check the values."""
        if self.kind not in KINDS:
            raise ValueError(
                f"kind must be 'forward', 'input' or 'output', got {self.kind!r}"
            )
        if not isinstance(self.call, int) or self.call < 0:
            raise ValueError(f'call must be an integer from 0, got {self.call!r}')

    def __str__(self) -> str:
        """The path, and which call and which tensor if it is not the first."""
        number = f'[{self.number}]' if self.number else ''
        run = f' (call {self.call})' if self.call else ''
        return f'{self.path or "the model"}{number}{run}'


STANDING = '_standing_taps'
"""Attribute of a model whose taps stay on it while a compiler runs it."""

Taps: TypeAlias = Mapping[Tap, Tensor]
"""Captured tensors by tap."""


class _AllTapsFilled(BaseException):
    """Leaves a forward pass of which nothing more is needed.

    Not an ``Exception``, which a model may catch for its own reasons.
    """


def find_module(model: nn.Module, path: str, name: str | None = None) -> nn.Module:
    """Look up a module by its path.

    Args:
        model: The model.
        path: Its path as in ``named_modules``.
        name: The model's name in errors; None for its class.

    Raises:
        ValueError: If there is no such module; the message lists the nearest
            paths that exist.
    """
    modules = dict(model.named_modules())
    if path in modules:
        return modules[path]
    near = difflib.get_close_matches(path, modules, n=5, cutoff=0.4)
    parent = path.rpartition('.')[0]
    while parent not in modules:
        parent = parent.rpartition('.')[0]
    children = [name for name, _ in modules[parent].named_children()]
    raise ValueError(
        f'{name or type(model).__name__} has no module {path!r}. '
        f'Nearest names: {", ".join(near) or "none"}. '
        f'Modules in {parent or "the model"!r}: {", ".join(children)}.'
    )


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in a module's inputs or outputs, depth first."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def first_tensor(value: Any, number: int = 0) -> Tensor:
    """One tensor in a module's inputs or outputs, by default the first.

    Raises:
        TypeError: If there is none.
    """
    for tensor in islice(tensors_in(value), number, None):
        return tensor
    raise TypeError(f'expected a tensor or a sequence of tensors, got {type(value)}')


@contextmanager
def capture(
    model: nn.Module,
    taps: Iterable[Tap],
    strict: bool = True,
    stop_when_filled: bool = False,
    copy: bool = True,
    image_size: Sequence[int] = (1, 1),
) -> Iterator[dict[Tap, Tensor]]:
    """Capture taps while the model runs inside this context.

    A value is the input or output of a module when it ran: later in-place
    operations do not change it. For a module that runs several times in one forward
    pass, the tap says which call to capture, by default the first. The hooks exist
    only inside the context: copies and deployed forms of the model never have them.
    Where :class:`mmkd.models.standing_taps.StandingTaps` stand there are none.

    Args:
        model: The model that is run inside the context.
        taps: What to capture.
        strict: Whether a tap without a value at the end is an error.
        stop_when_filled: Leave the context as soon as every tap has a value;
            the rest of the forward pass is not computed.
        copy: Whether values are copies, with their gradient. Without it they
            are the model's own tensors, which it may overwrite.
        image_size: Height and width of the images, needed for taps of tokens.

    Yields:
        A dict that is filled while the model runs.

    Raises:
        ValueError: If a tap names a module that does not exist.
        RuntimeError: If a tap got no value and ``strict`` is set.
    """
    taps = set(taps)
    values: dict[Tap, Tensor] = {}
    calls = dict.fromkeys(taps, 0)

    def keep(tap: Tap, value: Any) -> None:
        if tap not in calls:
            # It stands, but is that of another method.
            return
        calls[tap] += 1
        if calls[tap] != tap.call + 1:
            return
        tensor = first_tensor(value, tap.number)
        tensor = tensor.clone() if copy else tensor
        values[tap] = tap.layout.to_map(tensor, image_size)
        if stop_when_filled and len(values) == len(taps):
            raise _AllTapsFilled

    # A compiler drops by itself what no result depends on.
    stop_when_filled = stop_when_filled and not torch.compiler.is_compiling()
    with _watched(model, taps, keep):
        try:
            yield values
        except _AllTapsFilled:
            return
    missing = sorted(str(tap) for tap in taps - set(values))
    if strict and missing:
        raise RuntimeError(
            f'the forward pass of {type(model).__name__} never ran: '
            f'{", ".join(missing)}'
        )


@contextmanager
def _watched(
    model: nn.Module, taps: set[Tap], keep: Callable[[Tap, Any], None]
) -> Iterator[None]:
    standing = getattr(model, STANDING, None)
    if standing is not None:
        outer, taps = standing.keep, taps - standing.taps
        standing.keep = keep
    try:
        with ExitStack() as hooks:
            for tap in taps:
                module = find_module(model, tap.path)
                hooks.callback(watch(module, tap.kind, partial(keep, tap)))
            yield
    finally:
        if standing is not None:
            standing.keep = outer
