from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from mmkd.keyed_numbers import uniforms
from mmkd.resilience.randomness import number_of

BATCHES, BATCH = 625, 64


@pytest.fixture(scope='module')
def keys() -> Tensor:
    """Keys of 40000 samples as in a training, from iteration and place in the batch."""
    numbers = [
        number_of((0, iteration, 1 + place))
        for iteration in range(BATCHES)
        for place in range(BATCH)
    ]
    return torch.tensor(numbers)


def test_they_are_splitmix64s() -> None:
    """The first numbers that the reference implementation draws from a seed."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    found = uniforms(torch.tensor([1234567]), 3)
    assert found[:, 0].tolist() == [(number >> 11) / 2**53 for number in expected]


def test_a_sample_has_its_own_whatever_stands_beside_it(keys: Tensor) -> None:
    whole = uniforms(keys[:BATCH], 3)
    assert torch.equal(uniforms(keys[:BATCH].flip(0), 3), whole.flip(1))
    for number in (0, 7, 63):
        alone = uniforms(keys[number : number + 1], 5)
        assert torch.equal(alone[:3, 0], whole[:, number])


def test_keys_do_not_change(keys: Tensor) -> None:
    before = keys.clone()
    uniforms(keys, 2)
    assert torch.equal(keys, before)


def test_they_are_spread_evenly(keys: Tensor) -> None:
    """At a significance level of one in ten thousand."""
    drawn = uniforms(keys, 3).numpy()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    for one in drawn:
        counts = np.bincount((one * 100).astype(int), minlength=100)
        # Chi-squared of 99 degrees of freedom.
        assert (np.square(counts - 400) / 400).sum() < 158


@pytest.mark.parametrize('lag', [1, BATCH, 2 * BATCH])
def test_neighbours_have_nothing_in_common(lag: int, keys: Tensor) -> None:
    """Neither within a sample, nor with its neighbour in the batch or training."""
    drawn = (uniforms(keys, 3) * 10).int().numpy()
    series = [(drawn[0], drawn[1]), (drawn[1], drawn[2]), (drawn[0], drawn[2])]
    series += [(one[:-lag], one[lag:]) for one in drawn]
    for first, second in series:
        pairs = Counter(zip(first.tolist(), second.tolist(), strict=True))
        expected = len(first) / 100
        found = [pairs[row, column] for row in range(10) for column in range(10)]
        assert (np.square(np.array(found) - expected) / expected).sum() < 158
