"""Reading checkpoints without running code from them.

A checkpoint is a pickle, and a pickle can call any function by name. PyTorch's
``weights_only=True`` reads only tensors and plain containers; MMEngine's
training checkpoints also contain NumPy values, log histories and schedules.
These are allowed here, each by name, and nothing else is: mmkd never loads a
file with ``weights_only=False``. The result is reduced to data.
"""

import errno
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import filterfalse
from os import PathLike
from typing import IO, Any

import safetensors.torch
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleParamScheduler
from torch.serialization import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
)

from mmkd.checkpoints.file_kinds import is_safetensors, other_kind
from mmkd.checkpoints.identity import meta_of
from mmkd.checkpoints.plain_data import NUMPY, NotDataError, as_data

METHODS = {
    HistoryBuffer: ('min', 'max', 'current', 'mean'),
    OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear'),
}
"""Classes that pickle some of their methods with their values, and these methods."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, or names something that is not allowed."""


def _pickled_method(owner: object, name: str) -> Callable[..., Any]:
    """Stand in for ``getattr``, with which Python pickles a class's methods.

    The real one can reach every function from any class, through
    ``__init__.__globals__``.
    """
    for allowed, names in METHODS.items():
        if owner is allowed and name in names:
            return getattr(allowed, name)
    place = getattr(owner, '__qualname__', type(owner).__qualname__)
    raise pickle.UnpicklingError(f'GLOBAL {place}.{name}')


ALLOWED = [
    *METHODS,
    (_pickled_method, 'builtins.getattr'),
    (_pickled_method, '__builtin__.getattr'),
    bytes,  # an empty array's content is pickled as a call to it
    *((stand_in, name) for name, stand_in in NUMPY.items()),
]


@contextmanager
def _only_allowed(source: object, file: IO[bytes]) -> Iterator[None]:
    """Extend what ``weights_only=True`` reads, and name the file in errors.

    Whatever a user allows with ``torch.serialization.add_safe_globals`` stays
    allowed, except what has a stand-in here: ``getattr``, which MMEngine's own
    loader adds, and NumPy.
    """
    before = get_safe_globals()
    clear_safe_globals()
    add_safe_globals([*filterfalse(_has_stand_in, before), *ALLOWED])
    try:
        yield
    except Exception as error:
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            raise
        # EINVAL: a damaged file leads to an offset outside itself.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        # A damaged pickle can raise any exception.
        raise CheckpointError(_explain(source, file, error)) from None
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _has_stand_in(entry: Any) -> bool:
    allowed = entry[0] if isinstance(entry, tuple) else entry
    module = str(getattr(allowed, '__module__', ''))
    return allowed is getattr or module.partition('.')[0] == 'numpy'


def _explain(source: object, file: IO[bytes], error: Exception) -> str:
    """PyTorch's message, without its advice to load the file anyway."""
    kind = other_kind(file)
    if kind is not None:
        return f'cannot read checkpoint {source}: it is {kind}'
    refused = re.search(r'GLOBAL (\S+)', str(error))
    if refused is not None:
        return (
            f'checkpoint {source} is refused: reading it would use {refused[1]}, '
            'which could run code. Save only its state dict or, if that is a '
            'class of yours, allow it with torch.serialization.add_safe_globals'
        )
    if isinstance(error, NotDataError):
        return f'checkpoint {source} is refused: {error}'
    reason = str(error).split('WeightsUnpickler error:')[-1].split('\n\nCheck')[0]
    return (
        f'cannot read checkpoint {source}: is it complete, and written by '
        f'torch.save? ({type(error).__name__}: {reason.strip()})'
    )


def safe_load(
    file: str | PathLike[str] | IO[bytes],
    map_location: Any = 'cpu',
    mapped: bool = False,
) -> Any:
    """Read a checkpoint without running any code from it.

    The file was written by ``torch.save`` or is in the safetensors format, which
    contains a bare state dict.

    Args:
        file: Path, or a binary file object.
        map_location: As in ``torch.load``.
        mapped: Whether tensors may be memory-mapped from the file; only if their
            values are copied and nobody changes the file meanwhile.

    Returns:
        The saved object: a bare state dict, or a dict as MMEngine, MMSegmentation
        and MMPretrain save it, without the config that MMEngine would execute
        when training resumes.

    Raises:
        CheckpointError: If the file is damaged, or names a class or function
            that is not allowed; the message says which.
        OSError: If the file cannot be opened.
    """
    if not isinstance(file, str | PathLike):
        return _read(file, None, map_location, mapped=False)
    with open(file, 'rb') as opened:
        # Files from before PyTorch 1.6 cannot be mapped.
        mapped = mapped and zipfile.is_zipfile(opened)
        opened.seek(0)
        return _read(opened, file, map_location, mapped)


def _read(
    file: IO[bytes],
    path: str | PathLike[str] | None,
    map_location: Any,
    mapped: bool,
) -> Any:
    with _only_allowed(path or 'from memory', file):
        if is_safetensors(file):
            return safetensors.torch.load(file.read())
        content = as_data(
            torch.load(path or file, map_location, weights_only=True, mmap=mapped)
        )
        # MMEngine's runners execute this to read it.
        meta_of(content).pop('config', None)
        return content


def read_meta(path: str | PathLike[str]) -> dict[str, Any]:
    """Read the metadata of a checkpoint, without its weights.

    Args:
        path: As in :func:`safe_load`.

    Returns:
        Its ``meta``, empty if there is none.

    Raises:
        CheckpointError, OSError: As in :func:`safe_load`.
    """
    with open(path, 'rb') as file, _only_allowed(path, file):
        if is_safetensors(file):
            return {}
        return meta_of(as_data(torch.load(path, 'cpu', weights_only=True, mmap=True)))


def check_whole(path: str | PathLike[str]) -> None:
    """Check that a checkpoint is on disk as ``torch.save`` wrote it.

    Every record is read and compared with its stored checksum, which detects
    truncation and single flipped bits; PyTorch itself compares none.
    Nothing is unpickled. Checkpoints from before PyTorch 1.6 have no checksums.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is truncated or a bit has flipped.
        OSError: If it cannot be opened.
    """
    with open(path, 'rb') as file:
        try:
            with zipfile.ZipFile(file) as archive:
                broken = archive.testzip()
        except Exception as error:
            # Damaged headers can raise any exception.
            raise CheckpointError(f'{path} is damaged: {error}') from None
    if broken is not None:
        raise CheckpointError(f'{path} is damaged: wrong checksum of {broken}')
