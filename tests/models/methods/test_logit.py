import math
from collections.abc import Callable
from typing import Any

import pytest
import torch


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
    """Whatever method hands them on."""
    decoupled = dict(type='DKDLoss', alpha=1.0, beta=2.0)
    trial = bench(
        'pixels',
        kd=dict(type='LogitsKD', weight=1.0, loss=decoupled),
        dkd=dict(type='DKD', weight=1.0, loss=decoupled),
    )
    terms = trial.terms(trial.data())
    assert torch.equal(terms['distill.kd.loss'], terms['distill.dkd.loss'])
