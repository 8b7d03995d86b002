"""What Python's garbage collector need not look at."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """Let what is there, and what is made inside this context, last to the end.

    While more and more is made, as by the import of a library, the collector looks at
    all of it again and again: that took a third of a start's time. What is there at
    the end it never looks at again, nor copies into the memory of a data loader's
    workers by doing so.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
