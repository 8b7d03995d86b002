"""Rows of memory: what distillation uses beyond its student's own training."""

import gc
import heapq
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.forms import DHKD, KD, OPTIONS, STUDENT
from benchmarks.pairs import plain_teacher
from benchmarks.table import Row, row
from benchmarks.training import Training, Workshop


class Live(TorchDispatchMode):
    """Counts the bytes of live tensors, as operators return them.

    Memory that tensors share counts once; memory that an operator frees before it
    returns is not seen.

    Attributes:
        held: Bytes in use now.
        peak: The maximum so far; may be set.
        sizes: The bytes of each allocation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = 0
        self.sizes: list[int] = []
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and count the tensors that it returns."""
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._note(value.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return

        def forget(_: Any) -> None:
            del self._known[key]
            self.held -= size

        self._known[key] = weakref.ref(storage, forget)
        self.sizes.append(size)
        self.held += size
        self.peak = max(self.peak, self.held)


def rows(workshop: Workshop) -> Iterator[Row]:
    """Measure KD and DHKD of a pair, one step each, since nothing here is random.

    Args:
        workshop: Where their trainings start.
    """
    alone, _ = _peak(workshop, STUDENT)
    for form in (KD, DHKD):
        peak, training = _peak(workshop, form)
        beyond = peak - alone - _own(training)
        bound = _bound(workshop, training)
        del training
        yield row(
            f'{form}: memory beyond the student ÷ what its teacher needs',
            workshop.pair.title,
            [beyond / bound],
            1.0,
        )


def _peak(workshop: Workshop, form: str) -> tuple[int, Training]:
    """The peak of bytes in use in a training's second step, and the training."""
    with Live() as live:
        training = workshop.training(*OPTIONS[form])
        training.step()
        gc.collect()
        live.peak = live.held
        training.step()
    return live.peak, training


def _own(training: Training) -> int:
    """Bytes of the methods' parameters, buffers and optimiser states."""
    methods, states = training.model.methods, training.wrapper.optimizer.state
    held: list[Any] = [*methods.buffers()]
    for parameter in methods.parameters():
        held += [parameter, *tree_leaves(states.get(parameter))]
    return _bytes(value for value in held if isinstance(value, Tensor))


def _bound(workshop: Workshop, training: Training) -> int:
    """Bytes of the teacher's weights, its two largest activations, and its taps."""
    teacher = plain_teacher(workshop.pair).to(workshop.device).eval()
    model = training.model
    images = model.data_preprocessor(dict(training.batch), True)['inputs']
    with Live() as live, torch.no_grad():
        teacher(images)
    methods = model.named_methods.values()
    taps = {tap for method in methods for tap in method.taps_in_teacher}
    values = model.teacher(images, taps).values()
    weights = _bytes([*teacher.parameters(), *teacher.buffers()])
    return weights + sum(heapq.nlargest(2, live.sizes)) + _bytes(values)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
