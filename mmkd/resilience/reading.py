"""Reads samples reproducibly, with errors that name the file."""

import copy
import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch.utils.data import get_worker_info

from mmkd.resilience.randomness import number_of, seed_sample

Key = tuple[int, ...]
"""Integers that determine the random numbers of a sample."""


class Keyed(NamedTuple):
    """The index of a sample, of any kind, with the key of its random numbers."""

    index: Any
    key: Key


class CorruptSampleError(ValueError):
    """A sample cannot be read; the message names its files."""


class SampleReader:
    """Reads samples of a data set reproducibly, and names corrupt files.

    A sample may be requested by its :class:`Keyed` index: its random numbers then
    depend only on the key, not on the process or order in which it is read.
    A data set whose ``reads_batches`` is true reads whole batches, with a method
    ``read_batch(indices, keys)``, and draws no random numbers itself.

    Args:
        dataset: The data set.
        skip_corrupt: Whether a sample that cannot be read is replaced by
            another, drawn with the key, and counted. Otherwise it is an error.
        workers: Maximum number of processes that read.

    Attributes:
        note: Called with each sample that is read by a key, the key, and the index of
            the sample; not the requested one if that is corrupt.
    """

    TRIES = 10
    """Number of corrupt samples in a row after which reading fails."""

    def __init__(
        self, dataset: Any, skip_corrupt: bool = False, workers: int = 0
    ) -> None:
        self.dataset = dataset
        self.skip_corrupt = skip_corrupt
        self.note: Callable[[Any, Key, Any], None] | None = None
        self._named: set[Any] = set()
        self._skipped = torch.zeros(workers + 1, dtype=torch.int64).share_memory_()

    def of(self, dataset: Any) -> 'SampleReader':
        """A reader of another data set that shares the count of skipped samples."""
        other = copy.copy(self)
        other.dataset = dataset
        vars(other).pop('_has_files', None)
        return other

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def skipped(self) -> int:
        """How often a corrupt sample was replaced, over all readers."""
        return int(self._skipped.sum())

    def __getitem__(self, index: Any) -> Any:
        """Read a sample.

        Args:
            index: Which one, plain or :class:`Keyed`.

        Raises:
            CorruptSampleError: If it cannot be read and must not be skipped, or
                if its replacements cannot be read either.
        """
        number, key = index if isinstance(index, Keyed) else (index, None)
        for attempt in range(self.TRIES):
            if key is not None:
                seed_sample((*key, attempt))
            try:
                if self._has_files:
                    _refuse_truncated(self._files_of(number))
                sample = self.dataset[number]
                break
            except MemoryError:
                raise
            except Exception as error:
                # Corrupt bytes can cause any exception in decoders and transforms.
                message = self._explain(number, error)
                if not self.skip_corrupt:
                    raise CorruptSampleError(
                        f'{message}. Repair or remove it; in training such '
                        'samples are skipped with train_cfg.skip_corrupt=True.'
                    ) from error
            worker = get_worker_info()
            self._skipped[0 if worker is None else worker.id + 1] += 1
            if number not in self._named:
                # As an error, because ranks other than 0 log nothing below that.
                print_log(f'Skipped: {message}.', 'current', logging.ERROR)
                self._named.add(number)
            number = np.random.randint(len(self))
        else:
            raise CorruptSampleError(
                f'{self.TRIES} samples in a row cannot be read, the last one: '
                f'{message}.'
            )
        if self.note is not None and key is not None:
            self.note(sample, key, number)
        return sample

    def __getitems__(self, indices: Sequence[Any]) -> Sequence[Any]:
        """Read a batch, as PyTorch's loaders request it.

        Args:
            indices: Which samples, all plain or all :class:`Keyed`.

        Raises:
            CorruptSampleError: As for each of them.
        """
        if not getattr(self.dataset, 'reads_batches', False):
            return [self[index] for index in indices]
        if not all(isinstance(index, Keyed) for index in indices):
            return self.dataset.read_batch(indices)
        numbers, keys = zip(*indices, strict=True)
        samples = self.dataset.read_batch(numbers, [number_of(key) for key in keys])
        for sample, key, number in zip(samples, keys, numbers, strict=True):
            if self.note is not None:
                self.note(sample, key, number)
        return samples

    @cached_property
    def _has_files(self) -> bool:
        """Whether samples are files; if the first is not, all are in memory."""
        return bool(self._files_of(0))

    def _explain(self, number: Any, error: Exception) -> str:
        files = self._files_of(number)
        damaged = [file for file in files if not _is_readable(file)] or files
        names = ', '.join(map(repr, damaged)) or 'held in memory'
        reason = f'{type(error).__name__}: {error}'
        return f'sample {number}, {names}, cannot be read ({reason})'

    def _files_of(self, number: Any) -> list[str]:
        """The files that the data set lists for a sample, if it lists any."""
        try:
            info = self.dataset.get_data_info(number)
        except Exception:
            # It does not have such a list, or not for this kind of index.
            return []
        return [
            value
            for name, value in info.items()
            if name.endswith('_path') and isinstance(value, str)
        ]


ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND'}
"""What JPEG and PNG files begin and end with."""


def _refuse_truncated(files: list[str]) -> None:
    """Reject truncated images, in which OpenCV fills the missing part with grey.

    A file with the expected end is accepted, which costs next to nothing; any
    other is decoded by Pillow, which reports missing data.
    """
    for name in files:
        try:
            with open(name, 'rb') as file:
                end = ENDS.get(file.read(2))
                file.seek(0, 2)
                file.seek(max(file.tell() - 64, 0))
                suspicious = end is not None and end not in file.read()
        except OSError:
            # Not a local file; reading it will report what is wrong.
            continue
        if suspicious:
            with Image.open(name) as image:
                image.load()


def _is_readable(name: str) -> bool:
    try:
        with Image.open(name) as image:
            image.load()
    except Exception:
        # Corrupt bytes can cause any exception in Pillow's decoders.
        return False
    return True
