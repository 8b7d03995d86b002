"""The rows of a record: written by shards, read one by one."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmkd.records.manifest import AGAIN, Manifest, RecordError, shard_name
from mmkd.records.stored import StoredTap

SAMPLE = 'sample'
"""The field of a row that says which sample was read: the one that was due, or what
took the place of one that cannot be read."""


def row_type(taps: Sequence[StoredTap]) -> np.dtype:
    """How a row is laid out: for each tap its parts and their checksum."""
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
        manifest: What the record is of.
        numbers: The numbers of the rows.
        values: What :meth:`StoredTap.encode` made of each, by its name.
        samples: Which samples were read.
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
    """What a row's checksums begin with: a row of another record is no good here."""
    return zlib.crc32(f'{manifest.identity} {row}'.encode())


def _checksum(row: Any, number: int, tap: StoredTap, seal: int) -> int:
    """Of what is stored of one tap, of which sample, record and row it is."""
    crc = zlib.crc32(row[SAMPLE].tobytes(), seal)
    for name, *_ in tap.fields:
        crc = zlib.crc32(np.ascontiguousarray(row[f'{name}{number}']).data, crc)
    return crc


WRONG = 'row {} has not the checksum that it was written with in this record'


class Rows:
    """Reads the rows of a record, each with its checksum.

    Args:
        folder: The record.
        manifest: What it is of.
    """

    def __init__(self, folder: str | Path, manifest: Manifest) -> None:
        self.folder, self.manifest = Path(folder), manifest
        self._open: dict[int, np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a worker is given: it maps the files itself."""
        return {**vars(self), '_open': {}}

    def check(self) -> None:
        """Look whether all shards are there, each of its size.

        Raises:
            RecordError: If not; the message names the first and what is wrong with it.
        """
        count = len(self.manifest.shards)
        faults = {number: self.fault(number) for number in range(count)}
        wrong = [number for number, fault in faults.items() if fault]
        if wrong:
            raise RecordError(
                f'{len(wrong)} of the {count} shards of {str(self.folder)!r} are not '
                f'whole, the first {shard_name(wrong[0])}: {faults[wrong[0]]}. {AGAIN}'
            )

    def fault(self, shard: int, whole: bool = False) -> str:
        """What is wrong with a shard; empty if nothing is seen.

        Args:
            shard: Its number.
            whole: Whether to read it and compare its checksums, not its size alone.
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
        """Read of one row what is stored of some taps.

        Args:
            row: The number of the row.
            names: Of the taps.

        Returns:
            :data:`SAMPLE` and, for each part of each tap, the array by the name
            ``{part}{number of the tap}``.

        Raises:
            RecordError: If it is not what was written.
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
            # NumPy reads a header as Python does: what fails is up to its bytes.
            raise ValueError(f'NumPy cannot read its header: {error}') from error
        expected = len(self.manifest.shards[shard]), row_type(self.manifest.taps)
        if (*found.shape, found.dtype) != expected:
            raise ValueError(
                f'it has {found.shape} rows of {found.dtype.itemsize} bytes, and '
                f'{expected[0]} of {expected[1].itemsize} bytes were written'
            )
        return found

    def _damaged(self, shard: int, why: str) -> RecordError:
        path = self.folder / shard_name(shard)
        return RecordError(f'{path} is damaged: {why}. {AGAIN}')
