"""Random numbers as a function of where in the training they are drawn."""

import random
from hashlib import blake2b

import numpy as np
import torch


def seed_everything(*key: int) -> None:
    """Seed Python, NumPy and PyTorch, on every device, by some whole numbers.

    What is drawn next depends on them alone, so that a run that goes on from a
    checkpoint draws what it would have drawn without the break.

    Args:
        *key: Numbers that are not negative, such as seed and iteration.

    Raises:
        ValueError: If one is negative.
    """
    torch.manual_seed(_seed_host(key))


def seed_sample(*key: int) -> None:
    """Seed as :func:`seed_everything` does, but for no device than the host.

    Samples are read on the host; asking every kind of device takes longer than
    reading a small image.

    Args:
        *key: Numbers that are not negative.

    Raises:
        ValueError: If one is negative.
    """
    torch.default_generator.manual_seed(_seed_host(key))


def _seed_host(key: tuple[int, ...]) -> int:
    """Seed Python and NumPy; a seed for PyTorch, which is independent of theirs."""
    if min(key) < 0:
        raise ValueError(f'a key of random numbers must not be negative, got {key}')
    # Of one key's digest all seeds are parts: no two keys share one by design.
    digest = blake2b(repr(key).encode(), digest_size=20).digest()
    random.seed(int.from_bytes(digest[:8], 'little'))
    np.random.seed(int.from_bytes(digest[8:12], 'little'))
    return int.from_bytes(digest[12:], 'little') >> 1
