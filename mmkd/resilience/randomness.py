"""Random numbers as a function of where in the training they are drawn."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

PYTHON: Any = random.seed.__self__  # type: ignore[attr-defined]
"""The generator behind the functions of Python's module."""

SEED_PYTHON = super(random.Random, PYTHON).seed
"""Its seeding by a whole number, which is not asked first what kind of seed it is."""


def seed_everything(*key: int) -> None:
    """Seed Python, NumPy and PyTorch, on every device, by some whole numbers.

    What is drawn next depends on them alone, so that a run that goes on from a
    checkpoint draws what it would have drawn without the break.

    Args:
        *key: Numbers such as seed and iteration.
    """
    seed_sample(key)
    torch.manual_seed(torch.initial_seed())


def number_of(key: tuple[int, ...]) -> int:
    """One number of 64 bits, signed, that stands for several."""
    # Python hashes whole numbers alike in all processes, and mixes them well.
    return hash(key)


def seed_sample(key: tuple[int, ...]) -> None:
    """Seed as :func:`seed_everything` does, but for no device than the host.

    Samples are read on the host; asking every kind of device takes longer than
    reading a small image.

    Args:
        key: Numbers such as seed and iteration.
    """
    number = number_of(key)
    SEED_PYTHON(number)
    PYTHON.gauss_next = None
    # NumPy and PyTorch draw the same from the same seed: each takes one half.
    np.random.seed(number & 0xFFFFFFFF)
    torch.default_generator.manual_seed(number >> 32 & 0xFFFFFFFF)


def keep_seed(cfg: Config, drawn: Callable[[], int]) -> bool:
    """Let a config that names no seed name the one that was drawn.

    What is dumped is the same training then.

    Args:
        cfg: The config; changed in place.
        drawn: Draws the seed, or knows it.

    Returns:
        Whether it named none.
    """
    randomness = cfg.get('randomness') or {}
    if randomness.get('seed') is not None:
        return False
    cfg.randomness = {**randomness, 'seed': drawn()}
    return True
