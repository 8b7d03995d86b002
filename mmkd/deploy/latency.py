"""Latency of networks, timed in turns in one process."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

IN_A_ROW = 5
"""Timed calls of one network per round, after one warm-up call."""

FEWEST = 4
"""Minimum number of rounds, however long they take."""


@dataclass
class Latency:
    """Times of calls, in milliseconds.

    Attributes:
        clock: Wall-clock times.
        processor: CPU times, all threads together.
    """

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median wall-clock time."""
        return float(np.median(self.clock))

    @property
    def slow(self) -> float:
        """The 95 % quantile of the wall-clock time."""
        return float(np.quantile(self.clock, 0.95))

    @property
    def of_processor(self) -> float:
        """The median CPU time."""
        return float(np.median(self.processor))


def latencies(
    calls: Sequence[Callable[[], object]],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    processor: Callable[[], float] = time.process_time,
) -> list[Latency]:
    """Time calls round by round, so that a slow minute slows all of them.

    Every other round goes through them in the opposite order. In a round each is called
    several times in a row, as when it runs alone, after one warm-up call.

    Args:
        calls: What to time.
        seconds: For all rounds together; the last one starts before they are over.
        clock: Returns the wall-clock time in seconds.
        processor: Returns the CPU time in seconds.

    Returns:
        The latency of each call, in their order.
    """
    found = [Latency() for _ in calls]
    end, rounds = clock() + seconds, 0
    while rounds < FEWEST or clock() < end:
        pairs = list(zip(calls, found, strict=True))
        for call, times in pairs if rounds % 2 == 0 else pairs[::-1]:
            call()
            for _ in range(IN_A_ROW):
                begin = clock(), processor()
                call()
                times.clock.append(1e3 * (clock() - begin[0]))
                times.processor.append(1e3 * (processor() - begin[1]))
        rounds += 1
    return found
