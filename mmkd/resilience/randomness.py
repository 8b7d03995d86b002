"""Random numbers that depend only on where in the training they are drawn."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

PYTHON: Any = random.seed.__self__  # type: ignore[attr-defined]
"""The generator behind the functions of Python's module."""

SEED_PYTHON = super(random.Random, PYTHON).seed
"""Seeds it with an integer, without the check for other types of seed."""


def seed_everything(*key: int) -> None:
    """Seed Python, NumPy and PyTorch, on every device, with some integers.

    The next random numbers depend only on them, so that a resumed run draws the
    same numbers as one without an interruption.

    Args:
        *key: Numbers such as seed and iteration.
    """
    seed_sample(key)
    torch.manual_seed(torch.initial_seed())


def number_of(key: tuple[int, ...]) -> int:
    """A signed 64-bit hash of several integers."""
    # Python's hash of integers is the same in all processes, and mixes them well.
    return hash(key)


def seed_sample(key: tuple[int, ...]) -> None:
    """Seed as :func:`seed_everything` does, but on the host only.

    Samples are read on the host; checking for every kind of device takes longer
    than reading a small image.

    Args:
        key: Numbers such as seed and iteration.
    """
    number = number_of(key)
    SEED_PYTHON(number)
    PYTHON.gauss_next = None
    # NumPy and PyTorch draw the same from the same seed: each gets one half.
    np.random.seed(number & 0xFFFFFFFF)
    torch.default_generator.manual_seed(number >> 32 & 0xFFFFFFFF)


def keep_seed(cfg: Config, drawn: Callable[[], int]) -> bool:
    """Write the drawn seed into a config without a seed.

    The dumped config then repeats the same training.

    Args:
        cfg: The config; changed in place.
        drawn: Draws the seed, or returns the one drawn before.

    Returns:
        Whether the config had no seed.
    """
    randomness = cfg.get('randomness') or {}
    if randomness.get('seed') is not None:
        return False
    cfg.randomness = {**randomness, 'seed': drawn()}
    return True
