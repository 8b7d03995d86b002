"""Running a model without changing its state."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.random_state import random_state_kept


@contextmanager
def undisturbed(
    model: nn.Module, born: float = math.inf, values: bool = True
) -> Iterator[None]:
    """Let a model run once, in evaluation mode, without lasting effects.

    Modes, buffers, plain attributes such as counters, and the random state are
    restored afterwards. Hooks that others have registered are not called.

    Args:
        model: The model that is run inside the context.
        born: The id of PyTorch's first hook that is not the model's own.
        values: Whether its tensors have values inside the context, or only shapes, on
            the ``meta`` device, where running takes almost no time.
    """
    undo = [step for module in model.modules() for step in _undo(module)]
    for module in model.modules():
        for kind in ('_forward_pre_hooks', '_forward_hooks'):
            hooks = vars(module)[kind].items()
            own = OrderedDict((key, hook) for key, hook in hooks if key < born)
            vars(module)[kind] = own
    tensor = next(model.parameters(), torch.empty(0))
    with random_state_kept(tensor.device), torch.no_grad():
        model.eval()
        try:
            if not values:
                _drop_values(model)
            yield
        finally:
            for step in undo:
                step()


def _drop_values(model: nn.Module) -> None:
    for module in model.modules():
        held: Any
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is not None:
                    held[name] = tensor.to('meta')


def _undo(module: nn.Module) -> Iterator[Callable[[], Any]]:
    """Functions that restore attributes, the content of containers, and buffers."""
    attributes = vars(module)
    yield partial(_refill, attributes, dict(attributes))
    for value in list(attributes.values()):
        if isinstance(value, list):
            yield partial(value.__setitem__, slice(None), list(value))
        elif isinstance(value, dict):
            yield partial(_refill, value, dict(value))
    for buffer in module.buffers(recurse=False):
        if not buffer.is_meta:
            yield partial(_restore, buffer, buffer.clone())


def _refill(held: dict[Any, Any], content: dict[Any, Any]) -> None:
    held.clear()
    held.update(content)


def _restore(buffer: Tensor, content: Tensor) -> None:
    # An expanded buffer cannot be written to, so it has not changed either.
    if not torch.equal(buffer, content):
        buffer.copy_(content)
