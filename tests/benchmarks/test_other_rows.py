import math

import pytest
import torch

from benchmarks import building, memory, starts, waiting
from benchmarks.table import Row
from benchmarks.training import Workshop


def is_finite(row: Row) -> bool:
    return all(math.isfinite(value) for value in row.rounds) and bool(row.rounds)


def test_live_memory_is_what_lives() -> None:
    with memory.Live() as live:
        first = torch.zeros(100)
        second = (first + 1).view(10, 10)
        assert live.held == 800
        del first
        assert live.held == 400
        second.add_(1)
        assert live.held == 400
        assert live.peak == 800
        assert live.sizes == [400, 400]
        del second
    assert live.held == 0


def test_live_memory_sees_what_autograd_keeps() -> None:
    weight = torch.ones(100, requires_grad=True)
    with memory.Live() as live:
        loss = (weight * 2).exp().sum()
        kept = live.held
        loss.backward()
        del loss
    # exp keeps its output, of 400 bytes, until the backward pass.
    assert kept == 404
    assert live.held == weight.nbytes


def test_memory(workshop: Workshop) -> None:
    for row in memory.rows(workshop):
        assert 0 < row.value <= row.bar


def test_forwards(workshop: Workshop) -> None:
    row = building.forwards(workshop)
    assert row.value == int(row.value)
    assert 0 < row.value <= row.bar == 2


@pytest.mark.check
def test_starts(workshop: Workshop) -> None:
    rows = list(starts.rows(workshop, rounds=1))
    assert len(rows) == 2
    assert all(map(is_finite, rows))


@pytest.mark.parametrize('workshop', ['images'], indirect=True)
def test_waiting(workshop: Workshop) -> None:
    row = waiting.waiting(workshop, steps=4, interval=1)
    assert is_finite(row)
    assert 0 <= row.value <= 100
