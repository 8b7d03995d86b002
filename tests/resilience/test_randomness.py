import random

import numpy as np
import pytest
import torch

from mmkd.resilience.randomness import seed_everything, seed_sample


@pytest.mark.parametrize('key', [(0,), (3, 100, 7), (2**40, 1)])
def test_python_is_seeded_as_by_its_own_function(key: tuple[int, ...]) -> None:
    # The second of a pair of normal numbers is kept for the next call.
    random.gauss(0, 1)
    seed_sample(key)
    found = random.getstate()
    random.seed(hash(key))
    assert found == random.getstate()


def test_all_that_is_drawn_follows_from_the_key() -> None:
    def drawn(*key: int) -> tuple[float, ...]:
        seed_everything(*key)
        return random.random(), np.random.rand(), float(torch.rand(()))

    first = drawn(0, 1)
    assert drawn(0, 1) == first
    for ours, theirs in zip(drawn(1, 0), first, strict=True):
        assert ours != theirs
