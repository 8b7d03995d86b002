"""Atomic writes of files, and locks."""

import fcntl
import io
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import torch
from mmengine.logging import print_log

PARTIAL = '.partial'
"""Suffix of a file while it is being written."""


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """Write a file atomically: its name appears once it is complete and on disk.

    It is written under a temporary name, flushed and renamed. An existing file
    stays intact until then.

    Args:
        path: The final path; its folder must exist.

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
        path: The final path; its folder must exist.

    Raises:
        OSError: If it cannot be written; an existing file stays intact.
    """
    # In memory first: PyTorch's own writer hides why writing to disk failed.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with whole_or_nothing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def locked(file: TextIO, wait: bool = False) -> bool:
    """Lock a file for this process, which holds it until the file is closed.

    Where the file system has no locks, a warning says so.

    Args:
        file: The file, open for writing.
        wait: Whether to wait for a process that holds it.

    Returns:
        Whether no other process holds it, as far as can be known.
    """
    try:
        # Held by the process, not by the file: forked data workers do not hold it.
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        print_log(
            f'{Path(file.name).parent} cannot be locked ({error}): make sure that '
            'nothing else trains or records there.',
            'current',
            logging.WARNING,
        )
    return True


def is_free(path: Path) -> bool:
    """Whether no other process has :func:`locked` a file, which is made if need be.

    A lock of this process would be given up by asking.

    Args:
        path: The file.
    """
    with path.open('a+') as file:
        return locked(file)


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
