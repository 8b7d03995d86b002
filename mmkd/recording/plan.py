"""What to store, how large it is, and how long it takes."""

import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mmkd.models.taps import Tap
from mmkd.models.teachers.recorded import tap_name
from mmkd.nearest import nearest_and_known
from mmkd.records.manifest import RecordError
from mmkd.records.rows import row_type
from mmkd.records.stored import Precision, StoredTap

SHARD = 128 * 2**20
"""Maximum bytes per shard."""

MODEL = 'output'
"""The user's name for the model's own output, which has no path."""

MOST_ROWS = 8192
"""Maximum rows per shard."""

FEWEST_SHARDS = 64
"""Minimum shards per record, if batches are small enough: a kill loses one, and
processes and parts share them."""


@dataclass(frozen=True)
class Wishes:
    """A user's settings for how taps are stored.

    Attributes:
        dtype: Precision of all taps.
        reduce: Reduction factors of maps by the path of the tapped module, or
            :data:`MODEL` for the model's own output.
        live: Taps not to record, named in the same way.
        limit: Maximum bytes of one tap per view.
    """

    dtype: Precision = 'float16'
    reduce: Mapping[str, int] | None = None
    live: Iterable[str] = ()
    limit: int = 2 * 2**20


def stored_taps(values: Mapping[Tap, Tensor], wishes: Wishes) -> list[StoredTap]:
    """Decide how each tap is stored.

    Args:
        values: The values of the taps for a batch.
        wishes: The user's settings.

    Raises:
        ValueError: If a tap is above the limit, or a setting names an unknown tap.
    """
    reduce, live = dict(wishes.reduce or {}), list(wishes.live)
    paths = {tap.path or MODEL for tap in values}
    for name in (*reduce, *live):
        if name not in paths:
            raise ValueError(
                f'no method taps {name!r} in the teacher.'
                + nearest_and_known(name, sorted(paths))
            )
    stored = [
        StoredTap(
            tap_name(tap),
            tuple(value.shape[1:]),
            wishes.dtype,
            reduce.get(tap.path or MODEL, 1),
            _is_channels_last(value),
        )
        for tap, value in sorted(values.items(), key=lambda item: tap_name(item[0]))
        if (tap.path or MODEL) not in live
    ]
    if not stored:
        raise ValueError('nothing is left to record: every tap stays live.')
    for tap in stored:
        size = row_type([tap]).itemsize
        if size > wishes.limit:
            path = next(t.path for t in values if tap_name(t) == tap.name) or MODEL
            raise ValueError(
                f'{tap.name}, {shape_text(tap)}, takes {size / 2**20:.1f} MiB per view '
                f'as {tap.dtype}, more than --limit {wishes.limit / 2**20:g}. Store it '
                f'reduced (--reduce {path}=2) or as --dtype int8, which --check '
                f'measures; leave it out (--live {path}) and train with both '
                '--teacher and --recorded, which runs the teacher for it; or raise '
                '--limit.'
            )
    return stored


def _is_channels_last(value: Tensor) -> bool:
    is_map = value.dim() == 4 and not value.is_contiguous()
    return is_map and value.is_contiguous(memory_format=torch.channels_last)


def rows_of_a_shard(taps: list[StoredTap], batch: int, total: int) -> int:
    """How many rows a shard has, in whole batches.

    Args:
        taps: What each row stores.
        batch: Rows per batch.
        total: Rows of the record.
    """
    fit = min(SHARD // row_type(taps).itemsize, MOST_ROWS, total // FEWEST_SHARDS)
    return max(batch, fit // batch * batch)


def shape_text(tap: StoredTap) -> str:
    """The shape of a tap, in words."""
    return ' x '.join(map(str, tap.shape))


def described(taps: list[StoredTap], samples: int, views: int) -> str:
    """A description of what is stored, in lines."""
    size = row_type(taps).itemsize
    lines = [
        f'  {tap.name}: {shape_text(tap)}, {tap.dtype}'
        + (f', reduced by {tap.reduce}' if tap.reduce > 1 else '')
        + f', {row_type([tap]).itemsize:,} bytes'
        for tap in taps
    ]
    total = size * samples * views
    return '\n'.join(
        [
            'Stored for each view:',
            *lines,
            f'{size:,} bytes per view, {samples:,} samples x {views} views: '
            f'{gigabytes(total)}.',
        ]
    )


def check_space(folder: Path, needed: int) -> str:
    """Check that a disk has enough free space.

    Args:
        folder: An existing folder on the disk.
        needed: Bytes that are needed.

    Returns:
        How much is free, in a sentence.

    Raises:
        RecordError: If it does not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RecordError(
            f'{gigabytes(needed)} are still to be written to {str(folder)!r}, but only '
            f'{gigabytes(free)} are free there. Use fewer --views, a smaller --dtype, '
            'or another --out.'
        )
    return f'{gigabytes(free)} are free there.'


def gigabytes(size: float) -> str:
    """A size in readable form."""
    for unit, divisor in (('GB', 1e9), ('MB', 1e6)):
        if size >= divisor:
            return f'{size / divisor:.1f} {unit}'
    return f'{size / 1e3:.1f} kB'


def duration(seconds: float) -> str:
    """A duration in readable form."""
    if seconds >= 86400:
        return f'{seconds / 86400:.1f} days'
    return time.strftime('%H:%M:%S', time.gmtime(seconds)) + ' h'
