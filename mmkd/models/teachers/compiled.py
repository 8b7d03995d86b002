"""A frozen network compiled up to its taps."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.standing_taps import StandingTaps
from mmkd.models.taps import Tap, capture

Run = Callable[[Tensor], dict[Tap, Tensor]]
"""Maps images to what the taps capture."""


def compile_taps(
    model: nn.Module, taps: Iterable[Tap], options: Mapping[str, Any]
) -> Run:
    """Compile the part of a network that its taps depend on.

    The compiler drops by itself what no tap depends on. Weights are constants to
    PyTorch's own compiler: it stores them as its convolutions read them, and fuses
    what follows each (its option ``freezing``).

    Args:
        model: A model with MMEngine's ``mode='tensor'``.
        taps: What to capture.
        options: Arguments of :func:`torch.compile`.
    """
    # Importing the compiler takes two seconds, which every start would pay.
    from torch._inductor import config as inductor

    taps = sorted(taps, key=str)
    standing = StandingTaps(model, taps)

    def run(images: Tensor) -> list[Tensor]:
        with capture(model, taps, image_size=images.shape[2:]) as values:
            model(images, mode='tensor')
        return [values[tap] for tap in taps]

    # Code for any size is slower, also for the batches that are not an epoch's last.
    compiled = torch.compile(run, **{'dynamic': False, **options})

    def captured(images: Tensor) -> dict[Tap, Tensor]:
        # As an argument of torch.compile the option does not reach the tracer.
        with inductor.patch(freezing=True), standing:
            return dict(zip(taps, compiled(images), strict=True))

    return captured
