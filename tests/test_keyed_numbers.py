from collections import Counter

import numpy as np
import pytest

from mmkd.keyed_numbers import uniforms
from mmkd.resilience.randomness import number_of

BATCHES, BATCH = 625, 64


@pytest.fixture(scope='module')
def keys() -> np.ndarray:
    """Keys of 40000 samples, as a training hands them out: iterations by places."""
    numbers = [
        number_of((0, iteration, 1 + place))
        for iteration in range(BATCHES)
        for place in range(BATCH)
    ]
    return np.array(numbers, np.int64).view(np.uint64)


def test_they_are_splitmix64s() -> None:
    """The first numbers that its reference implementation draws from a seed."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    found = uniforms(np.array([1234567], np.uint64), 3)
    assert found[:, 0].tolist() == [(number >> 11) / 2**53 for number in expected]


def test_a_sample_has_its_own_whatever_stands_beside_it(keys: np.ndarray) -> None:
    whole = uniforms(keys[:BATCH], 3)
    assert np.array_equal(uniforms(keys[:BATCH][::-1], 3), whole[:, ::-1])
    for number in (0, 7, 63):
        assert np.array_equal(uniforms(keys[number : number + 1], 5)[:3, 0],
                              whole[:, number])


def test_keys_do_not_change(keys: np.ndarray) -> None:
    before = keys.copy()
    uniforms(keys, 2)
    assert np.array_equal(keys, before)


def test_they_are_spread_evenly(keys: np.ndarray) -> None:
    """Within what chance allows once in ten thousand times."""
    drawn = uniforms(keys, 3)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    for one in drawn:
        counts = np.bincount((one * 100).astype(int), minlength=100)
        # Chi-squared of 99 degrees of freedom.
        assert (np.square(counts - 400) / 400).sum() < 158


@pytest.mark.parametrize('lag', [1, BATCH, 2 * BATCH])
def test_neighbours_have_nothing_in_common(lag: int, keys: np.ndarray) -> None:
    """Neither a sample's numbers, nor those of one place on in batch or training."""
    drawn = (uniforms(keys, 3) * 10).astype(int)
    series = [(drawn[0], drawn[1]), (drawn[1], drawn[2]), (drawn[0], drawn[2])]
    series += [(one[:-lag], one[lag:]) for one in drawn]
    for first, second in series:
        pairs = Counter(zip(first.tolist(), second.tolist(), strict=True))
        expected = len(first) / 100
        found = [pairs[row, column] for row in range(10) for column in range(10)]
        assert (np.square(np.array(found) - expected) / expected).sum() < 158
