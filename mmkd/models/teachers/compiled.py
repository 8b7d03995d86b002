"""A frozen network compiled up to its taps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.taps import Tap, find_module, first_tensor

Run = Callable[[Tensor], dict[Tap, Tensor]]
"""Maps images to what the taps capture."""


def compile_taps(
    model: nn.Module, taps: Iterable[Tap], options: Mapping[str, Any]
) -> Run:
    """Compile the part of a network that its taps depend on.

    The compiler drops by itself what no tap depends on. It does not call the
    hooks of every module; a tapped module instead becomes an instance of a
    subclass, whose ``forward`` captures.

    Args:
        model: A model with MMEngine's ``mode='tensor'``; changed in place.
        taps: What to capture; only from the first call of a module.
        options: Arguments of :func:`torch.compile`.

    Raises:
        ValueError: If a tap names a call of its module other than the first.
    """
    taps = sorted(taps, key=str)
    values: dict[Tap, Tensor] = {}
    for tap in taps:
        if tap.call:
            raise ValueError(
                f'a compiled teacher cannot tell the calls of one module apart: {tap}. '
                'Remove teacher.compile.'
            )
        _let_keep(find_module(model, tap.path), tap, values)

    def run(images: Tensor) -> list[Tensor]:
        model(images, mode='tensor')
        captured = [values[tap] for tap in taps]
        values.clear()
        return captured

    compiled = torch.compile(run, **options)

    def as_maps(images: Tensor) -> dict[Tap, Tensor]:
        size: Sequence[int] = images.shape[2:]
        captured = zip(taps, compiled(images), strict=True)
        return {tap: tap.layout.to_map(tensor, size) for tap, tensor in captured}

    return as_maps


def _let_keep(module: nn.Module, tap: Tap, values: dict[Tap, Tensor]) -> None:
    kind: Any = type(module)

    class Tapped(kind):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            if tap.kind == 'input':
                values[tap] = first_tensor((args, kwargs), tap.number).clone()
            output = super().forward(*args, **kwargs)
            if tap.kind != 'input':
                values[tap] = first_tensor(output, tap.number).clone()
            return output

    module.__class__ = Tapped
