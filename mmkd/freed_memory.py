"""Memory that a training step frees, kept for the next one."""

import ctypes
import os
from contextlib import suppress

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""What ``malloc.h`` of the GNU C library numbers the two settings with."""

TUNED_BY = 'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES'
"""Environment variables by which somebody has chosen the settings already."""


def keep_freed_memory() -> None:
    """Let the GNU C library keep what the process frees, up to 2 GB.

    By default it gives memory back to the system at once, page by page, and gets
    cleared pages for the next tensor: on CPUs a few hundredths of a training step, and
    more where a retained graph lets the steps' peaks rise and fall. Tensors above 32 MB
    still go back. Does nothing with another C library, or where the environment sets
    the thresholds.
    """
    if any(name in os.environ for name in TUNED_BY):
        return
    # Neither exists everywhere: the function, nor a handle of the process itself.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        # Setting one of the two ends the automatic choice of the other.
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
        mallopt(MMAP_THRESHOLD, 2**25)
