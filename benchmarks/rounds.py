"""Forms of the same work, timed in turns."""

import math
import time
from collections.abc import Callable, Mapping

import torch

Form = Callable[[], float]
"""Runs once and returns what it took, in seconds."""

Times = dict[str, float]
"""Seconds by name of the form, for one round."""

LEAST = 3
"""So many rounds are run however long they take."""


def now(device: str) -> float:
    """CPU time in seconds or, after synchronising with a GPU, wall-clock time.

    Args:
        device: ``'cpu'`` or ``'cuda'``.
    """
    if device == 'cpu':
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def timed(function: Callable[[], object], device: str = 'cpu') -> Form:
    """A form that runs and times a function."""

    def form() -> float:
        begin = now(device)
        function()
        return now(device) - begin

    return form


def in_turns(
    forms: Mapping[str, Form],
    rounds: int,
    warm_up: int = 1,
    seconds: float = math.inf,
) -> list[Times]:
    """Run every form once per round, so that a slow minute slows all of them.

    Every other round runs them in the opposite order.

    Args:
        forms: What to time.
        rounds: How often.
        warm_up: Preceding rounds that do not count.
        seconds: Time for a round. No round beyond the first :data:`LEAST` begins after
            the time for all, so that a slow machine takes fewer of them, not longer.
    """
    names = list(forms)
    seen: list[Times] = []
    end = time.monotonic() + rounds * seconds
    for number in range(warm_up + rounds):
        if len(seen) >= LEAST and time.monotonic() > end:
            break
        order = names if number % 2 == 0 else names[::-1]
        times = {name: forms[name]() for name in order}
        if number >= warm_up:
            seen.append(times)
    return seen

