"""Keep memory freed by a training step for the next one."""

import ctypes
import os
from contextlib import suppress

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""The two settings' numbers in ``malloc.h`` of the GNU C library."""

TUNED_BY = 'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES'
"""Environment variables that set the thresholds already."""


def keep_freed_memory() -> None:
    """Make the GNU C library keep up to 2 GB of freed memory in the process.

    By default it returns memory to the system at once, page by page, and gets zeroed
    pages for the next tensor. On CPUs this costs a few per cent of a training step, and
    more if a retained graph makes peak memory vary between steps. Tensors above 32 MB
    are still returned. Does nothing with another C library, or if the environment sets
    the thresholds.
    """
    if any(name in os.environ for name in TUNED_BY):
        return
    # Some platforms lack the function or a handle for the process itself.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        # Setting either one disables the dynamic adjustment of the other.
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
        mallopt(MMAP_THRESHOLD, 2**25)
