"""Files that are either whole or not there."""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

PARTIAL = '.partial'
"""What the name of a file ends with while it is being written."""


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """Let a file appear under its name only when it is whole and on the disk.

    It is written beside its place, flushed and renamed. What stood there
    before stays whole until then.

    Args:
        path: Where it is to stand; its folder must exist.

    Yields:
        Where to write it, as a file or a folder.

    Raises:
        OSError: If it cannot be written; nothing is left of it.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        yield partial
        for written in (*partial.rglob('*'), partial):
            _flush(written)
        partial.replace(path)
        _flush(path.parent)
    finally:
        remove(partial)


def save_atomically(content: Any, path: Path) -> None:
    """Write what :func:`torch.save` writes, leaving no half-written file.

    Args:
        content: Anything that :func:`torch.save` takes.
        path: Where it is to stand; its folder must exist.

    Raises:
        OSError: If it cannot be written; what stood there before still does.
    """
    # In memory first: PyTorch's own writer hides why a disk refuses a file.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with whole_or_nothing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
