"""What looks at a training draws no random number of it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Let what is drawn inside this context not be missed after it.

    Args:
        device: Whose random numbers are kept, beside those of the host.
    """
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == 'cuda' else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
