"""Whether a step reads values from the device, which would block on a GPU."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from steps import KINDS, alone_and_distilled
from torch import Tag, Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

INDEXING = ('aten::index', 'aten::index_put', 'aten::index_put_')


COPIES = {'cpu', 'numpy', 'tolist', 'new_tensor'}
"""Functions of tensors that copy between host and device and block."""


class Operations(TorchDispatchMode):
    """Records what gives the host a value, or a size that depends on one."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func._schema.name in INDEXING:
            asks = any(
                index is not None and index.dtype in (torch.bool, torch.uint8)
                for index in args[1]
            )
        else:
            asks = {Tag.data_dependent_output, Tag.dynamic_output_shape} & {*func.tags}
        if asks:
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class Copies(TorchFunctionMode):
    """Records what copies between host and device, as far as a CPU shows it."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = getattr(func, '__name__', ''), kwargs or {}
        placed = [*args[1:], *kwargs.values()]
        if name in COPIES:
            copies = True
        elif name in ('tensor', 'as_tensor'):
            copies = 'device' in kwargs
        elif name == 'to':
            # With another tensor it takes its device.
            places = torch.device | str | Tensor
            copies = any(isinstance(each, places) for each in placed)
            copies = copies and not kwargs.get('non_blocking')
        else:
            copies = name == '__getitem__' and isinstance(args[1], list)
        if copies:
            self.seen.append(name)
        return func(*args, **kwargs)


@contextmanager
def asking() -> Iterator[list[str]]:
    """Collect the names of what would block on a GPU."""
    seen: list[str] = []
    with Operations(seen), Copies(seen):
        yield seen


@pytest.mark.parametrize(
    'ask',
    [
        lambda x: x.sum().item(),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.unique(),
        lambda x: x.long().bincount(),
        lambda x: bool((x > 0).any()),
        lambda x: x.index_put_((x > 2,), torch.tensor(0.0)),
        lambda x: x.masked_select(x > 0),
        lambda x: x.repeat_interleave(x.long()),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.cpu(),
        lambda x: x.to(torch.device('cpu')),
        lambda x: x.to(torch.zeros(1)),
        lambda x: x[[0, 2]],
        lambda x: torch.tensor([1], device=x.device),
        lambda x: x.new_tensor([1]),
    ],
)
def test_questions_are_noticed(ask: Callable[[Tensor], Any]) -> None:
    numbers = torch.tensor([1.0, 2.0, 3.0])
    with asking() as seen:
        numbers[torch.tensor([0, 2])].where(numbers[:2] > 1, 0).sum().double()
        numbers.to(numbers.device, non_blocking=True)
        assert not seen
        ask(numbers)
    assert seen


@pytest.mark.parametrize('name', KINDS)
def test_a_step_asks_no_more_than_the_students_own(
    tiny: Any, task: str, name: str
) -> None:
    found = []
    for training in alone_and_distilled(tiny, task, name, 'cpu'):
        # What happens only in the first step does not matter.
        training.step()
        network = training.network
        # Labels are checked before they move to the device.
        batch = network.data_preprocessor(training.data, True)
        with asking() as seen:
            loss, _ = network.parse_losses(network(**batch, mode='loss'))
            training.wrapper.update_params(loss)
        found.append(Counter(seen))
    assert found[1] == found[0]
