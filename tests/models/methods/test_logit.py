import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode


def test_the_settings_of_a_method_are_its_own(bench: Callable[..., Any]) -> None:
    method = bench('images', kd=dict(type='LogitsKD', weight=0.7)).method
    assert method.weight == 0.7
    assert method.task_weight is None


@pytest.mark.parametrize('name', ['weight', 'task_weight'])
@pytest.mark.parametrize('value', [-1, math.inf, math.nan])
def test_a_weight_out_of_range(
    bench: Callable[..., Any], name: str, value: float
) -> None:
    message = f'{name} of LogitsKD must be finite and at least 0'
    with pytest.raises(ValueError, match=message):
        bench('images', kd={'type': 'LogitsKD', name: value})


def test_labels_reach_a_loss_that_needs_them(bench: Callable[..., Any]) -> None:
    """Whichever method passes them on."""
    decoupled = dict(type='DKDLoss', alpha=1.0, beta=2.0)
    trial = bench(
        'pixels',
        kd=dict(type='LogitsKD', weight=1.0, loss=decoupled),
        dkd=dict(type='DKD', weight=1.0, loss=decoupled),
    )
    terms = trial.terms(trial.data())
    assert torch.equal(terms['distill.kd.loss'], terms['distill.dkd.loss'])


@pytest.mark.parametrize('kind', ['LogitsKD', 'DualHead', 'CWD', 'DIST', 'DKD'])
def test_nothing_is_enlarged_at_one_stride(
    bench: Callable[..., Any], kind: str
) -> None:
    trial = bench('pixels', one=dict(type=kind))
    data = trial.data()
    student, teacher = trial.taps(data)
    targets = trial.targets(data)

    with Resizing() as resizing:
        trial.method.loss(student, teacher, targets)
    assert not resizing.seen
    with resizing:
        trial.method.loss(student, {t: x[..., 1:] for t, x in teacher.items()}, targets)
    assert len(resizing.seen) == 1


class Resizing(TorchDispatchMode):
    """Records the operations that resize a map."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if 'upsample' in str(func):
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))
