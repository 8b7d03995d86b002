"""Files that are either whole or not there."""

import os
from pathlib import Path
from typing import Any

import torch


def save_atomically(content: Any, path: Path) -> None:
    """Write what :func:`torch.save` writes, leaving no half-written file.

    The file is written beside its place, flushed to the disk and renamed. A
    file that stood there before stays whole until then.

    Args:
        content: Anything that :func:`torch.save` takes.
        path: Where it is to stand; its folder must exist.

    Raises:
        OSError: If it cannot be written; nothing is left of it.
    """
    partial = path.with_name(f'{path.name}.partial')
    try:
        with partial.open('wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
