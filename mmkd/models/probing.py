"""Inputs and outputs of a model's modules, observed in one run on a blank image."""

import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Size, Tensor, nn

from mmkd.models.taps import Tap, capture, tensors_in
from mmkd.models.undisturbed import undisturbed
from mmkd.models.watching import KINDS, Kind, watch

IMAGE_SIZES = ((64, 64), (32, 32), (224, 224))
"""Heights and widths in pixels of the blank images tried, in this order."""

FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    AttributeError,
)
"""Errors of models on an image of the wrong size, or on any image."""


@dataclass
class Trace:
    """Shapes of the inputs and outputs of every module in one forward pass.

    Attributes:
        image_size: Height and width of the blank image.
        shapes: Shapes of a module's tensors in each of its calls, by path and kind,
            in the order the modules first began (inputs) and ended (outputs).
        returned: The type of the model's return value.
        givers: Paths of the modules whose first tensor is the model's output,
            the innermost first, with its kind: the module's output, or that of
            its method ``forward``, called by the model itself.
    """

    image_size: tuple[int, int]
    shapes: dict[tuple[str, Kind], list[list[Size]]] = field(default_factory=dict)
    returned: str = ''
    givers: dict[str, Kind] = field(default_factory=dict)

    def given(self, path: str, kind: Kind = 'output', call: int = 0) -> list[Size]:
        """Shapes of a module's tensors in one of its calls, [] if none."""
        runs = self.shapes.get((path, kind), [])
        return runs[call] if call < len(runs) else []

    def shape(self, tap: Tap) -> Size:
        """Shape of what a tap captures, with batch size 1.

        Raises:
            KeyError: If its module did not run, or has no such tensor.
        """
        shapes = self.given(tap.path, tap.kind, tap.call)
        if not tap.number < len(shapes):
            raise KeyError(tap)
        value = torch.empty(shapes[tap.number], device='meta')
        return tap.layout.to_map(value, self.image_size).shape


def trace(model: nn.Module, born: float = math.inf) -> Trace:
    """Run a model once on a blank image and observe all of its modules.

    The model is left as it was, see :func:`undisturbed`.

    Args:
        model: A model with MMEngine's ``mode='tensor'``.
        born: See :func:`undisturbed`.

    Raises:
        ValueError: If the model runs on none of the image sizes tried.
    """
    sizes = dict.fromkeys([*IMAGE_SIZES, *_native_sizes(model)])
    failures = []
    for size in sizes:
        # Models that read values fail on shapes only, with any exception.
        with suppress(Exception):
            return _traced(model, size, born, values=False)
        try:
            return _traced(model, size, born)
        except FAILURES as error:
            failures.append(f'{tuple(size)}: {error}')
    raise ValueError(
        f'{type(model).__name__} does not run on a blank image of any of the '
        f'sizes tried. {" | ".join(failures)}'
    )


def _traced(
    model: nn.Module, size: tuple[int, int], born: float, values: bool = True
) -> Trace:
    found = Trace(size)
    # Weak, so that no more is kept in memory than by the model itself. An in-place
    # operation keeps the tensor, but changes its version.
    given: dict[tuple[str, Kind], tuple[weakref.ref[Tensor], int]] = {}

    def note(path: str, kind: Kind, value: Any) -> None:
        tensors = list(tensors_in(value))
        runs = found.shapes.setdefault((path, kind), [])
        if kind != 'input' and tensors and not runs:
            given[path, kind] = weakref.ref(tensors[0]), tensors[0]._version
        runs.append([tensor.shape for tensor in tensors])

    with undisturbed(model, born, values), ExitStack() as hooks:
        for path, module in model.named_modules():
            # TorchScript modules do not support these hooks.
            kinds = () if isinstance(module, torch.jit.ScriptModule) else KINDS
            for kind in kinds:
                if kind != 'forward' or _is_part(model, path):
                    hooks.callback(watch(module, kind, partial(note, path, kind)))
        returned = model(_blank(model, size), mode='tensor')
    output = next(tensors_in(returned))
    found.returned = type(returned).__name__
    for (path, kind), (tensor, version) in given.items():
        if path and tensor() is output and version == output._version:
            found.givers.setdefault(path, kind)
    return found


def _is_part(model: nn.Module, path: str) -> bool:
    """Whether a model may call the ``forward`` of this module itself."""
    parent = model.get_submodule(path.rpartition('.')[0])
    return bool(path) and (parent is model or isinstance(parent, nn.ModuleList))


def look(
    model: nn.Module, size: Sequence[int], taps: Sequence[Tap], born: float = math.inf
) -> list[Tensor]:
    """Values of taps for two images of noise; the model is left as it was.

    Args:
        model: A model with MMEngine's ``mode='tensor'``.
        size: Height and width of the images.
        taps: What to capture.
        born: See :func:`undisturbed`.
    """
    with undisturbed(model, born), capture(model, taps) as values:
        model(noise(model, size), mode='tensor')
    return [values[tap] for tap in taps]


def rehearse(
    model: nn.Module,
    forward: Callable[..., Any],
    size: Sequence[int],
    annotations: BaseDataElement | None = None,
) -> None:
    """Run a model on two images of noise as in training; it is left as it was.

    Operations record what a backward pass needs.

    Args:
        model: A model.
        forward: Its forward pass, with MMEngine's modes.
        size: Height and width of the images.
        annotations: Those of each image, to compute its losses; None for its output.

    Raises:
        RuntimeError: If it fails.
    """
    images = noise(model, size)
    with undisturbed(model), torch.enable_grad():
        try:
            if annotations is None:
                forward(images, mode='tensor')
            else:
                samples = [annotations.clone().to(images.device) for _ in images]
                forward(images, samples, mode='loss')
        except RuntimeError:
            raise
        except FAILURES as error:
            raise RuntimeError(str(error)) from error


def noise(model: nn.Module, size: Sequence[int]) -> Tensor:
    """Two images of noise as a model takes them, ``(2, C, *size)``.

    Always the same ones; the global random state is not used.
    """
    blank, generator = _blank(model, size), torch.Generator().manual_seed(0)
    return torch.randn(2, *blank.shape[1:], generator=generator).to(blank)


def image_channels(model: nn.Module) -> int:
    """Channels of the images that a model takes: those of its first convolution."""
    convolutions = (m for m in model.modules() if isinstance(m, nn.Conv2d))
    return next((conv.in_channels for conv in convolutions), 3)


def _blank(model: nn.Module, size: Sequence[int]) -> Tensor:
    weight = next(model.parameters())
    return weight.new_zeros(1, image_channels(model), *size)


def _native_sizes(model: nn.Module) -> Iterator[tuple[int, int]]:
    for module in model.modules():
        size = getattr(module, 'img_size', None)
        if size is not None:
            yield tuple(size) if isinstance(size, Sequence) else (size, size)
