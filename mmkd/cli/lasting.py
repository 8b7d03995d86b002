"""Objects that Python's garbage collector does not need to scan."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Disable garbage collection while many objects are created that will be kept.

    While libraries are imported or networks are built, the collector scans all existing
    objects again and again, which took a third of the start-up time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def lasting() -> Iterator[None]:
    """Exempt all objects that exist at the end of this context from collection.

    The collector never scans them again, so it also does not copy their memory pages in
    the data loader workers.
    """
    with uncollected():
        try:
            yield
        finally:
            gc.freeze()
