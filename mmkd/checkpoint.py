"""Reading checkpoints without running what they hold.

A checkpoint is a pickle, and a pickle can call any function by name. PyTorch's
``weights_only=True`` reads tensors and plain containers alone; MMEngine's
training checkpoints hold NumPy values, log histories and schedules too. They
are allowed here, each by name, and nothing else is: no file makes mmkd load
with ``weights_only=False``.
"""

import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleParamScheduler
from torch.serialization import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
)

METHODS = {
    HistoryBuffer: ('min', 'max', 'current', 'mean'),
    OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear'),
}
"""The classes that pickle methods of theirs with their values, and which."""

CORES = ('core', '_core')
"""What NumPy 1 and 2 call the package of their compiled functions."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, or names something that is not allowed."""


def _pickled_method(owner: object, name: str) -> Callable[..., Any]:
    """Stand in for ``getattr``, by which Python pickles a class's methods.

    The real one reaches every function from any class, by way of
    ``__init__.__globals__``.
    """
    for allowed, names in METHODS.items():
        if owner is allowed and name in names:
            return getattr(allowed, name)
    place = getattr(owner, '__qualname__', type(owner).__qualname__)
    raise pickle.UnpicklingError(f'GLOBAL {place}.{name}')


def _allowed_globals() -> list[Any]:
    array = np.zeros(1).__reduce__()[0]
    scalar = np.float64().__reduce__()[0]
    # Objects are left out: an array of them is a container for anything.
    kinds = np.typecodes['All'].replace('O', '')
    return [
        *METHODS,
        (_pickled_method, 'builtins.getattr'),
        (_pickled_method, '__builtin__.getattr'),
        bytes,  # an empty array's content is pickled as a call of it
        np.ndarray,
        np.dtype,
        *{type(np.dtype(kind)) for kind in kinds},
        *((array, f'numpy.{core}.multiarray._reconstruct') for core in CORES),
        *((scalar, f'numpy.{core}.multiarray.scalar') for core in CORES),
    ]


ALLOWED = _allowed_globals()


@contextmanager
def _only_allowed(source: object) -> Iterator[None]:
    """Extend what ``weights_only=True`` reads, and name the file in errors.

    What a user allows with ``torch.serialization.add_safe_globals`` stays
    allowed, except ``getattr`` itself, which MMEngine's own loader adds.
    """
    before = get_safe_globals()
    clear_safe_globals()
    add_safe_globals([*(entry for entry in before if not _is_getattr(entry)), *ALLOWED])
    try:
        yield
    except (OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # A damaged pickle fails in whatever way its next bytes happen to ask.
        raise CheckpointError(_explain(source, error)) from None
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _is_getattr(entry: Any) -> bool:
    return getattr in (entry if isinstance(entry, tuple) else (entry,))


def _explain(source: object, error: Exception) -> str:
    """PyTorch's message, without its advice to load the file all the same."""
    refused = re.search(r'GLOBAL (\S+)', str(error))
    if refused is not None:
        return (
            f'checkpoint {source} is refused: reading it would use {refused[1]}, '
            'which could run code. Save its state dict alone, or, if that is a '
            'class of yours, allow it with torch.serialization.add_safe_globals'
        )
    reason = str(error).split('WeightsUnpickler error:')[-1].split('\n\nCheck')[0]
    return (
        f'cannot read checkpoint {source}: is it complete, and written by '
        f'torch.save? ({type(error).__name__}: {reason.strip()})'
    )


def safe_load(
    file: str | PathLike[str] | IO[bytes],
    map_location: Any = 'cpu',
) -> Any:
    """Read a checkpoint written by ``torch.save`` and run nothing of it.

    Args:
        file: Path, or a binary file object.
        map_location: As in ``torch.load``.

    Returns:
        What was saved: a bare state dict, or a dict as MMEngine, MMSegmentation
        and MMPretrain save it.

    Raises:
        CheckpointError: If the file is damaged, or names a class or function
            that is not allowed; the message says which.
        OSError: If the file cannot be opened.
    """
    source = file if isinstance(file, str | PathLike) else 'from memory'
    with _only_allowed(source):
        return torch.load(file, map_location=map_location, weights_only=True)


def safe_load_url(url: str, **kwargs: Any) -> Any:
    """Download a checkpoint, once, and read it as :func:`safe_load` does.

    Args:
        url: Where it is.
        **kwargs: As in ``torch.hub.load_state_dict_from_url``.

    Returns:
        What was saved.

    Raises:
        CheckpointError: As in :func:`safe_load`.
        OSError: If the address cannot be reached; the message says where to
            put the file by hand.
    """
    with _only_allowed(url):
        kwargs['weights_only'] = True
        try:
            return torch.hub.load_state_dict_from_url(url, **kwargs)
        except (URLError, ConnectionError, TimeoutError) as error:
            folder = kwargs.get('model_dir') or Path(torch.hub.get_dir(), 'checkpoints')
            place = Path(folder, PurePosixPath(urlparse(url).path).name)
            raise OSError(
                f'{url} cannot be reached: {error}. Where there is no network, '
                f'download it elsewhere and put it at {place}'
            ) from error


def check_whole(path: str | PathLike[str]) -> None:
    """Look whether a checkpoint is on the disk as ``torch.save`` wrote it.

    Every record is read and compared with the checksum stored beside it, which
    finds truncation and single wrong bits; PyTorch itself compares none.
    Nothing is unpickled. Checkpoints from before PyTorch 1.6 hold no checksum.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is truncated or a bit of it is wrong.
        OSError: If it cannot be opened.
    """
    with open(path, 'rb') as file:
        try:
            with zipfile.ZipFile(file) as archive:
                broken = archive.testzip()
        except Exception as error:
            # Damaged headers fail in whatever way their next bytes happen to ask.
            raise CheckpointError(f'{path} is damaged: {error}') from None
    if broken is not None:
        raise CheckpointError(f'{path} is damaged: wrong checksum of {broken}')
