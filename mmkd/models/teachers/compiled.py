"""A frozen network compiled up to its taps."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.taps import Kind, Tap, find_module, first_tensor

Run = Callable[[Tensor], dict[Tap, Tensor]]
"""Maps images to what the taps capture."""


def compile_taps(
    model: nn.Module, taps: Iterable[Tap], options: Mapping[str, Any]
) -> Run:
    """Compile the part of a network that its taps depend on.

    The compiler drops by itself what no tap depends on. It does not call the
    hooks of every module; a tapped module instead is an instance of a subclass, whose
    ``forward`` captures, while the result runs. Weights are constants to PyTorch's own
    compiler: it stores them as its convolutions read them, and fuses what follows
    each (its option ``freezing``).

    Args:
        model: A model with MMEngine's ``mode='tensor'``.
        taps: What to capture.
        options: Arguments of :func:`torch.compile`.
    """
    # Importing the compiler takes two seconds, which every start would pay.
    from torch._inductor import config as inductor

    taps = sorted(taps, key=str)
    values: dict[Tap, Tensor] = {}
    calls = dict.fromkeys(taps, 0)

    def keep(tap: Tap, value: Any) -> None:
        calls[tap] += 1
        if calls[tap] == tap.call + 1:
            values[tap] = first_tensor(value, tap.number).clone()

    capturing: dict[nn.Module, Any] = {}
    for tap in taps:
        module = find_module(model, tap.path)
        own = capturing.get(module, type(module))
        capturing[module] = _keeping(own, tap.kind, partial(keep, tap))

    def run(images: Tensor) -> list[Tensor]:
        model(images, mode='tensor')
        return [values[tap] for tap in taps]

    # Code for any size is slower, also for the batches that are not an epoch's last.
    compiled = torch.compile(run, **{'dynamic': False, **options})

    def as_maps(images: Tensor) -> dict[Tap, Tensor]:
        size: Sequence[int] = images.shape[2:]
        # Here, or the compiler would guard on what earlier passes have left.
        calls.update(dict.fromkeys(taps, 0))
        values.clear()
        # As an argument of torch.compile the option does not reach the tracer.
        with inductor.patch(freezing=True), _as_instances(capturing):
            captured = zip(taps, compiled(images), strict=True)
        values.clear()
        return {tap: tap.layout.to_map(tensor, size) for tap, tensor in captured}

    return as_maps


@contextmanager
def _as_instances(kinds: Mapping[nn.Module, Any]) -> Iterator[None]:
    """Make modules instances of other classes inside this context."""
    own: dict[nn.Module, Any] = {module: type(module) for module in kinds}
    try:
        for module, kind in kinds.items():
            module.__class__ = kind
        yield
    finally:
        for module, kind in own.items():
            module.__class__ = kind


def _keeping(own: Any, kind: Kind, keep: Callable[[Any], None]) -> Any:
    class Tapped(own):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            if kind == 'input':
                keep((args, kwargs))
            output = super().forward(*args, **kwargs)
            if kind != 'input':
                keep(output)
            return output

    return Tapped
