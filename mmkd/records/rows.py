"""The rows of a record: written shard by shard, read one by one."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmkd.records.manifest import AGAIN, Manifest, RecordError, shard_name
from mmkd.records.stored import StoredTap

SAMPLE = 'sample'
"""The field of a row for the sample that was read: the one that was due, or the
replacement of one that cannot be read."""


def row_type(taps: Sequence[StoredTap]) -> np.dtype:
    """The layout of a row: for each tap its parts and their checksum."""
    layout: list[Any] = [(SAMPLE, '<i8')]
    for number, tap in enumerate(taps):
        layout += [(f'{name}{number}', *rest) for name, *rest in tap.fields]
        layout.append((f'crc{number}', '<u4'))
    return np.dtype(layout)


def fill(
    rows: np.ndarray,
    manifest: Manifest,
    numbers: Iterable[int],
    values: Mapping[str, Mapping[str, np.ndarray]],
    samples: Iterable[int],
) -> None:
    """Write values into rows, with their checksums.

    Args:
        rows: As many as there are values, of :func:`row_type`.
        manifest: The manifest of the record.
        numbers: The numbers of the rows.
        values: The output of :meth:`StoredTap.encode` for each tap, by its name.
        samples: Indices of the samples that were read.
    """
    rows[SAMPLE] = list(samples)
    seals = [_seal(manifest, number) for number in numbers]
    for number, tap in enumerate(manifest.taps):
        for name, *_ in tap.fields:
            rows[f'{name}{number}'] = values[tap.name][name]
        rows[f'crc{number}'] = [
            _checksum(row, number, tap, seal)
            for row, seal in zip(rows, seals, strict=True)
        ]


def _seal(manifest: Manifest, row: int) -> int:
    """The start of a row's checksums, so that rows of other records do not match."""
    return zlib.crc32(f'{manifest.identity} {row}'.encode())


def _checksum(row: Any, number: int, tap: StoredTap, seal: int) -> int:
    """The checksum over one tap's parts, its sample, record and row."""
    crc = zlib.crc32(row[SAMPLE].tobytes(), seal)
    for name, *_ in tap.fields:
        crc = zlib.crc32(np.ascontiguousarray(row[f'{name}{number}']).data, crc)
    return crc


WRONG = 'row {} does not match the checksum written in this record'


class Rows:
    """Reads the rows of a record and verifies their checksums.

    Args:
        folder: The record.
        manifest: Its manifest.
    """

    def __init__(self, folder: str | Path, manifest: Manifest) -> None:
        self.folder, self.manifest = Path(folder), manifest
        self._open: dict[int, np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        """The state for a worker, which maps the files itself."""
        return {**vars(self), '_open': {}}

    def check(self) -> None:
        """Check that all shards exist and have the right size.

        Raises:
            RecordError: If not; the message names the first bad one and its fault.
        """
        count = len(self.manifest.shards)
        faults = {number: self.fault(number) for number in range(count)}
        wrong = [number for number, fault in faults.items() if fault]
        if wrong:
            raise RecordError(
                f'{len(wrong)} of the {count} shards of {str(self.folder)!r} are bad, '
                f'the first is {shard_name(wrong[0])}: {faults[wrong[0]]}. {AGAIN}'
            )

    def fault(self, shard: int, whole: bool = False) -> str:
        """What is wrong with a shard; empty if nothing is found.

        Args:
            shard: Its number.
            whole: Whether to read it and verify its checksums, not only its size.
        """
        try:
            found = self._mapped(shard)
        except FileNotFoundError:
            return 'missing'
        except (OSError, ValueError) as error:
            return str(error)
        first = self.manifest.shards[shard].start
        for place, row in enumerate(found if whole else ()):
            seal = _seal(self.manifest, first + place)
            for number, tap in enumerate(self.manifest.taps):
                if row[f'crc{number}'] != _checksum(row, number, tap, seal):
                    return WRONG.format(place)
        return ''

    def read(self, row: int, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Read some taps of one row.

        Args:
            row: The number of the row.
            names: The names of the taps.

        Returns:
            :data:`SAMPLE` and, for each part of each tap, the array by the name
            ``{part}{number of the tap}``.

        Raises:
            RecordError: If the row is damaged.
        """
        shard, place = divmod(row, self.manifest.rows)
        if shard not in self._open:
            try:
                self._open[shard] = self._mapped(shard)
            except (OSError, ValueError) as error:
                raise self._damaged(shard, str(error)) from error
        found = self._open[shard][place]
        values, seal = {SAMPLE: np.array(found[SAMPLE])}, _seal(self.manifest, row)
        for number, tap in enumerate(self.manifest.taps):
            if tap.name not in names:
                continue
            for name, *_ in tap.fields:
                values[f'{name}{number}'] = np.array(found[f'{name}{number}'])
            if _checksum(values, number, tap, seal) != found[f'crc{number}']:
                raise self._damaged(shard, WRONG.format(place))
        return values

    def _mapped(self, shard: int) -> np.ndarray:
        path = self.folder / shard_name(shard)
        try:
            found = np.lib.format.open_memmap(path, mode='r')
        except OSError:
            raise
        except Exception as error:
            # NumPy parses a header as Python: corrupt bytes can cause any exception.
            raise ValueError(f'NumPy cannot read its header: {error}') from error
        expected = len(self.manifest.shards[shard]), row_type(self.manifest.taps)
        if (*found.shape, found.dtype) != expected:
            raise ValueError(
                f'it has {found.shape} rows of {found.dtype.itemsize} bytes instead of '
                f'{expected[0]} rows of {expected[1].itemsize} bytes'
            )
        return found

    def _damaged(self, shard: int, why: str) -> RecordError:
        path = self.folder / shard_name(shard)
        return RecordError(f'{path} is damaged: {why}. {AGAIN}')
