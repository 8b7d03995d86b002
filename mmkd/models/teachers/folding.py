"""BatchNorm of a frozen network, folded into the convolution before it."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from copy import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmkd.models.probing import noise
from mmkd.models.taps import Tap, capture, first_tensor, tensors_in
from mmkd.models.undisturbed import undisturbed
from mmkd.models.watching import watch

CONVOLUTION: Any = nn.modules.conv._ConvNd
NORMALISATION: Any = nn.modules.batchnorm._BatchNorm

PIECE = 2**16
"""Number of weights folded at once: in float64 they stay in the CPU's cache."""

TOLERANCE = 1e-3
"""Allowed error of a folded convolution, relative to the largest value it replaces.

Rounding is a hundredth of it; a convolution that uses its weight in another way,
such as one that standardises it, has a far larger error.
"""


def fold_batch_norms(
    model: nn.Module,
    size: Sequence[int],
    taps: Iterable[Tap] = (),
    born: float = math.inf,
) -> int:
    """Fold BatchNorms into the convolutions before them, where nothing else sees it.

    A BatchNorm is folded if a convolution's result is only normalised, once per
    forward pass, and not tapped. One forward pass on noise images in evaluation mode
    determines this. Afterwards the convolution has the folded weights, computed in
    float64, and the BatchNorm is an ``nn.Identity``. Pairs of which a parameter is used
    more than once, by themselves or by anything else, are left alone.

    Args:
        model: A model with MMEngine's ``mode='tensor'`` that will not be trained
            again; changed in place.
        size: Height and width of the images.
        taps: What is captured in the model; it keeps its values up to rounding.
        born: See :func:`mmkd.models.undisturbed.undisturbed`.

    Returns:
        How many were folded.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", section 3.2.
    """
    images = noise(model, size)
    with (
        undisturbed(model, born),
        _Watched(model) as seen,
        seen.uses,
        capture(model, taps, strict=False, copy=False) as tapped,
    ):
        model(images, mode='tensor')
    hidden = {id(value) for value in tapped.values()}
    pairs = [
        (convolution, norm)
        for convolution, norm, result in seen.pairs
        if seen.is_folded_away(convolution, norm, result, hidden)
    ]
    for convolution, norm in pairs:
        _fold(convolution, norm)
        # In place: the model may refer to it by several names.
        norm._parameters.clear()
        norm._buffers.clear()
        norm.__class__ = nn.Identity
    return len(pairs)


@torch.no_grad()
def _fold(convolution: Any, norm: Any) -> None:
    """Fold a BatchNorm in evaluation mode into the convolution before it."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double()
    if convolution.bias is not None:
        shift += convolution.bias
    if norm.weight is not None:
        scale *= norm.weight
    shift *= scale
    if norm.bias is not None:
        shift += norm.bias
    weight = convolution.weight
    if convolution.transposed:
        weight = weight.transpose(0, 1)
    rows = max(PIECE * len(weight) // weight.numel(), 1)
    scales = scale.view(-1, *[1] * (weight.dim() - 1)).split(rows)
    for piece, factor in zip(weight.split(rows), scales, strict=True):
        piece.copy_(piece.double().mul_(factor))
    bias = shift.to(convolution.weight)
    convolution.bias = nn.Parameter(bias, requires_grad=False)


class _Uses(TorchDispatchMode):
    """Counts how often each tensor, and each parameter, is an argument.

    Attributes:
        counts: Uses of tensors in operations, by id.
        stored: Uses of parameters and buffers, by their place in memory, which those
            that are tied or views of one another have in common.
        paused: Whether operations are not the model's, and not counted.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.counts = Counter[int]()
        self.paused = False
        self.stored: dict[int | None, int] = dict.fromkeys(
            map(_place, [*model.parameters(), *model.buffers()]), 0
        )

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        for tensor in () if self.paused else tensors_in([args, kwargs]):
            self.counts[id(tensor)] += 1
            place = _place(tensor)
            if place in self.stored:
                self.stored[place] += 1
        return func(*args, **(kwargs or {}))


def _place(tensor: Tensor) -> int | None:
    """Where a tensor is stored; None if it is not in one piece of memory."""
    if tensor.layout != torch.strided or not tensor.numel():
        return None
    return tensor.untyped_storage().data_ptr()


class _Watched(ExitStack):
    """Observes the convolutions and BatchNorms of a model while it runs.

    Attributes:
        uses: Counts uses of tensors.
        pairs: Convolutions, the BatchNorms that take their result, and the result.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.uses = _Uses(model)
        self.pairs: list[tuple[Any, Any, Tensor]] = []
        self._runs = Counter[nn.Module]()
        self._given: dict[nn.Module, Tensor] = {}
        self._made: dict[int, tuple[nn.Module, Tensor]] = {}
        for module in model.modules():
            if isinstance(module, CONVOLUTION):
                self.callback(watch(module, 'input', partial(self._enter, module)))
                self.callback(watch(module, 'output', partial(self._made_by, module)))
            elif isinstance(module, NORMALISATION):
                self.callback(watch(module, 'input', partial(self._enter, module)))
                self.callback(watch(module, 'output', partial(self._normed, module)))

    def is_folded_away(
        self, convolution: Any, norm: Any, result: Tensor, kept: set[int]
    ) -> bool:
        """Whether only the BatchNorm sees a convolution's result, and they run once."""
        tensors = [*convolution.parameters(), *norm.parameters()]
        tensors += [norm.running_mean, norm.running_var]
        once = self._runs[convolution] == self._runs[norm] == 1 and all(
            self.uses.stored[_place(tensor)] == 1 for tensor in tensors
        )
        return once and self.uses.counts[id(result)] == 1 and id(result) not in kept

    def _enter(self, module: nn.Module, value: Any) -> None:
        self._runs[module] += 1
        self._given[module] = first_tensor(value)

    def _made_by(self, convolution: nn.Module, value: Any) -> None:
        result = first_tensor(value)
        # Kept, so that no other tensor gets the same id meanwhile.
        self._made[id(result)] = convolution, result
        self.uses.counts[id(result)] = 0

    def _normed(self, norm: Any, value: Any) -> None:
        convolution: Any
        convolution, result = self._made.get(id(self._given[norm]), (None, None))
        if convolution is None or result is None or norm.running_mean is None:
            return
        if convolution._parameters.keys() != {'weight', 'bias'}:
            return
        if convolution.transposed and convolution.groups > 1:
            return
        # Custom classes are compared now: later operations may overwrite the result.
        self.uses.paused = True
        if all(_is_pytorchs(module) for module in (convolution, norm)) or _agrees(
            convolution, norm, self._given[convolution], first_tensor(value)
        ):
            self.pairs.append((convolution, norm, result))
        self.uses.paused = False


def _is_pytorchs(module: nn.Module) -> bool:
    """Whether a module uses PyTorch's own ``forward``."""
    return type(module).forward.__module__.startswith('torch.nn.')


def _agrees(convolution: Any, norm: Any, inputs: Tensor, expected: Tensor) -> bool:
    """Whether the folded convolution gives the same result as the pair."""
    folded = copy(convolution)
    folded._parameters = {
        name: tensor if tensor is None else nn.Parameter(tensor.clone())
        for name, tensor in convolution._parameters.items()
    }
    _fold(folded, norm)
    # Without hooks, which would count it as another run.
    difference = (folded.forward(inputs) - expected).abs().max()
    return bool(difference <= TOLERANCE * expected.abs().max())
