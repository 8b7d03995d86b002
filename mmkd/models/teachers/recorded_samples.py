"""Passing what was recorded of a view along with its sample from the data loader."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd.records import RecordError, Rows, StoredTap
from mmkd.records.rows import SAMPLE

FIELD = 'recorded'
"""The field of a data sample that holds what was recorded of its view."""


class AddRecorded:
    """Adds what was recorded to the samples that a data loader reads.

    Args:
        rows: The record.
        names: The taps that are needed.
    """

    def __init__(self, rows: Rows, names: Sequence[str]) -> None:
        self.rows, self.names = rows, names

    def __call__(self, sample: Any, key: tuple[int, ...], number: int) -> None:
        """Add it to one sample.

        Args:
            sample: What the data set returned, with ``data_samples``.
            key: Seed, view and index of the requested sample.
            number: The index of the sample that was read.

        Raises:
            RecordError: If another sample was read in its place when recording.
        """
        _, view, index = key
        read = self.rows.read(self.rows.manifest.row(view, index), self.names)
        was = int(read.pop(SAMPLE))
        if was != number:
            raise RecordError(
                f'sample {was} was read for sample {index} when it was recorded, but '
                f'{number} is read now: a file was corrupt then, or is now. '
                'Restore it, or record again.'
            )
        tensors = {name: torch.from_numpy(value) for name, value in read.items()}
        found = BaseDataElement(**tensors)
        sample['data_samples'].set_field(found, FIELD, dtype=BaseDataElement)


def stacked(
    read: Sequence[Any], stored: StoredTap, number: int
) -> dict[str, Tensor]:
    """The record of one tap for a batch, stacked into one tensor per field.

    Args:
        read: What :class:`AddRecorded` added to each sample.
        stored: The tap.
        number: Its number in the record.
    """
    return {
        name: torch.stack([one.get(f'{name}{number}') for one in read])
        for name, *_ in stored.fields
    }
