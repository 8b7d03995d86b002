"""Whether a step reads values from the device, which would block on a GPU."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from steps import KINDS, alone_and_distilled
from torch import Tag, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

INDEXING = ('aten::index', 'aten::index_put', 'aten::index_put_')


class Asking(TorchDispatchMode):
    """Records what gives the host a value, or a size that depends on one."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

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
    ],
)
def test_questions_are_noticed(ask: Callable[[Tensor], Any]) -> None:
    numbers = torch.tensor([1.0, 2.0, 3.0])
    with Asking() as asking:
        numbers[torch.tensor([0, 2])].where(numbers[:2] > 1, 0).sum()
        assert not asking.seen
        ask(numbers)
    assert asking.seen


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
        with Asking() as asking:
            loss, _ = network.parse_losses(network(**batch, mode='loss'))
            training.wrapper.update_params(loss)
        found.append(Counter(asking.seen))
    assert found[1] == found[0]
