"""Every head of both libraries trains with channels-last weights."""

import copy
from functools import partial
from typing import Any

import heads
import pytest
import torch
from torch import nn

from mmkd.models import build_model
from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.layout import lay_channels_last
from mmkd.models.probing import look

NEITHER = ('DMHead',)
"""Heads that take a view of a map as if it were contiguous."""


def is_channels_last(model: nn.Module) -> bool:
    return all(
        parameter.is_contiguous(memory_format=torch.channels_last)
        for parameter in model.parameters()
        if parameter.dim() == 4
    )


@pytest.mark.parametrize(('task', 'name'), heads.NAMES)
def test_every_head_trains_in_either_layout(tiny: Any, task: str, name: str) -> None:
    torch.manual_seed(0)
    plain = build_model(getattr(heads, task)(tiny, name)).train()
    fast = copy.deepcopy(plain)
    run = partial(look, fast, ModelView(fast).trace.image_size, [OUTPUT])

    laid = lay_channels_last(fast, run)

    assert laid == (name not in NEITHER)
    assert is_channels_last(fast) == laid
    results = []
    for model in (plain, fast):
        torch.manual_seed(0)
        data = model.data_preprocessor(heads.batch_of(tiny, task, name), training=True)
        total, _ = model.parse_losses(model(**data, mode='loss'))
        total.backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        results.append((total, torch.cat([g.flatten() for g in gradients])))
    (total, gradient), (other, again) = results
    torch.testing.assert_close(other, total, rtol=1e-4, atol=1e-5)
    assert (again - gradient).norm() <= 1e-2 * gradient.norm()


def test_weights_of_one_owner_may_stay_in_their_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('mmkd.models.layout.PIECE', 3 * 4 * 3 * 3)
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(6))).eval()
    model[2].to(torch.float64)
    model[3].weight.data = model[4].weight.data
    model[1].weight.data = torch.randn(8, 4, 3, 3)[::2]
    model[5].weight.data = torch.randn(4, 4, 3, 3).transpose(0, 1)
    weights = [convolution.weight for convolution in model]
    values = [weight.detach().clone() for weight in weights]
    places = [weight.data_ptr() for weight in weights]

    assert lay_channels_last(model, lambda: None, in_place=True)

    assert is_channels_last(model)
    for weight, value in zip(weights, values, strict=True):
        assert weight.equal(value)
    kept = [w.data_ptr() == place for w, place in zip(weights, places, strict=True)]
    assert kept == [True, False, True, False, False, False]

    def fails() -> None:
        raise RuntimeError

    assert not lay_channels_last(model, fails, in_place=True)
    assert all(weight.is_contiguous() for weight in weights)
    for weight, value in zip(weights, values, strict=True):
        assert weight.equal(value)


def test_weights_without_values() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.empty(0, 3, 2, 2))
    assert lay_channels_last(model, lambda: None, in_place=True)


def test_too_little_memory_says_nothing_about_the_layout() -> None:
    def fails() -> None:
        raise torch.OutOfMemoryError('CUDA out of memory.')

    with pytest.raises(torch.OutOfMemoryError):
        lay_channels_last(nn.Conv2d(4, 4, 3), fails)
