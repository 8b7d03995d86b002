"""What Python's garbage collector need not look at."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let nothing be looked at while more and more is made that is kept.

    Where a library is imported or networks are built, the collector looks at all that
    is there again and again: that took a third of a start's time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def lasting() -> Iterator[None]:
    """Let what is there, and what is made inside this context, last to the end.

    What is there at the end the collector never looks at again, nor copies into the
    memory of a data loader's workers by doing so.
    """
    with uncollected():
        try:
            yield
        finally:
            gc.freeze()
