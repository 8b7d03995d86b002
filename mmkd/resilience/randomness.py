"""Random numbers as a function of where in the training they are drawn."""

import random

import numpy as np
import torch


def seed_everything(*key: int) -> None:
    """Seed Python, NumPy and PyTorch, on every device, by some whole numbers.

    What is drawn next depends on them alone, so that a run that goes on from a
    checkpoint draws what it would have drawn without the break.

    Args:
        *key: Numbers such as seed and iteration.
    """
    seed_sample(key)
    torch.manual_seed(torch.initial_seed())


def seed_sample(key: tuple[int, ...]) -> None:
    """Seed as :func:`seed_everything` does, but for no device than the host.

    Samples are read on the host; asking every kind of device takes longer than
    reading a small image.

    Args:
        key: Numbers such as seed and iteration.
    """
    # Python hashes whole numbers alike in all processes, and mixes them well.
    number = hash(key)
    random.seed(number)
    # NumPy and PyTorch draw the same from the same seed: each takes one half.
    np.random.seed(number & 0xFFFFFFFF)
    torch.default_generator.manual_seed(number >> 32 & 0xFFFFFFFF)
