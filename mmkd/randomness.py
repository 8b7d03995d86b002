"""Random numbers as a function of where in the training they are drawn."""

import random

import numpy as np
import torch


def seed_everything(*key: int) -> None:
    """Seed Python, NumPy and PyTorch, on every device, by some whole numbers.

    What is drawn next depends on them alone, so that a run that goes on from a
    checkpoint draws what it would have drawn without the break. Keys that
    differ by zeros at their end are one key.

    Args:
        *key: Numbers that are not negative, such as seed and iteration.

    Raises:
        ValueError: If one is negative.
    """
    if min(key) < 0:
        raise ValueError(f'a key of random numbers must not be negative, got {key}')
    words = np.random.SeedSequence(key).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.manual_seed(int(words[2]) << 32 | int(words[3]))
