"""Inspect a training without changing its random numbers."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Restore the states of the random number generators on exit.

    Args:
        device: The device whose generator is restored, besides those of the CPU.
    """
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == 'cuda' else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
