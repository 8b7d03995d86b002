"""Rows are read as written, or an error names their file."""

import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmkd.records import RecordError, Rows
from mmkd.records.manifest import shard_name
from mmkd.records.rows import SAMPLE, fill, row_type


def test_rows_are_view_by_view_the_samples(record: Callable[..., Any]) -> None:
    folder, manifest = record()
    assert manifest.total == 10
    assert [list(rows) for rows in manifest.shards] == [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
        [9],
    ]
    rows = Rows(folder, manifest)
    rows.check()
    for view in range(2):
        for sample in range(5):
            row = manifest.row(view, sample)
            found = rows.read(row, ['output of b'])
            assert int(found[SAMPLE]) == sample
            assert set(found) == {SAMPLE, 'values1', 'scale1'}
            whole = np.load(folder / shard_name(row // 3))[row % 3]
            assert np.array_equal(found['values1'], whole['values1'])


def test_a_worker_maps_the_files_itself(record: Callable[..., Any]) -> None:
    folder, manifest = record()
    rows = Rows(folder, manifest)
    before = rows.read(4, ['output of a'])['values0']
    copy = pickle.loads(pickle.dumps(rows))
    assert np.array_equal(copy.read(4, ['output of a'])['values0'], before)


def damage(file: Path, kind: str) -> None:
    content = bytearray(file.read_bytes())
    if kind == 'missing':
        file.unlink()
        return
    if kind == 'truncated':
        content = content[:-5]
    elif kind == 'of other rows':
        np.save(file, np.load(file)[:1])
        return
    elif kind == 'no array':
        content = bytearray(b'nothing')
    elif kind == 'empty':
        content.clear()
    elif kind == 'an archive':
        content[:2] = b'PK'
    file.write_bytes(content)


@pytest.mark.parametrize(
    'kind',
    ['missing', 'truncated', 'of other rows', 'no array', 'empty', 'an archive'],
)
def test_a_shard_that_is_not_whole_is_named_before_anything_is_read(
    kind: str, record: Callable[..., Any]
) -> None:
    folder, manifest = record()
    damage(folder / shard_name(1), kind)
    rows = Rows(folder, manifest)
    with pytest.raises(RecordError, match=r'1 of the 4 .*shard_000001\.npy.*repair'):
        rows.check()
    assert rows.fault(1)
    assert not rows.fault(0, whole=True)


def test_every_wrong_bit_is_found_and_its_file_named(
    record: Callable[..., Any],
) -> None:
    folder, manifest = record()
    file = folder / shard_name(1)
    whole = file.read_bytes()
    header = len(whole) - 3 * np.load(file).dtype.itemsize
    for place in range(header):
        wrong = bytearray(whole)
        wrong[place] ^= 1 << place % 8
        file.write_bytes(wrong)
        fault = Rows(folder, manifest).fault(1, whole=True)
        # Only white space does not matter.
        assert fault or np.array_equal(np.load(file), np.load(io.BytesIO(whole)))
    for place in range(header, len(whole), 3):
        wrong = bytearray(whole)
        wrong[place] ^= 1 << place % 8
        file.write_bytes(wrong)
        rows = Rows(folder, manifest)
        rows.check()
        assert 'checksum' in rows.fault(1, whole=True)
        row = 3 + (place - header) // np.load(file).dtype.itemsize
        with pytest.raises(RecordError, match=r'shard_000001\.npy is damaged: row'):
            rows.read(row, ['output of a', 'output of b'])


def test_a_file_that_would_be_unpickled_is_refused(record: Callable[..., Any]) -> None:
    folder, manifest = record()
    np.save(folder / shard_name(0), np.array([{}, {}, {}], object))
    with pytest.raises(RecordError, match=r'shard_000000\.npy'):
        Rows(folder, manifest).check()


def test_rows_of_elsewhere_are_refused(record: Callable[..., Any]) -> None:
    """For example after shards of two records were put into one folder."""
    folder, manifest = record()
    other = replace(manifest, views=dict(seed=4, count=2))
    assert all(Rows(folder, other).fault(n, whole=True) for n in range(4))
    with pytest.raises(RecordError, match=r'shard_000001\.npy .*in this record'):
        Rows(folder, other).read(3, ['output of a'])
    # Samples do not distinguish the views of one record.
    few = replace(manifest, data=dict(samples=3, sha256='x'))
    one, two = folder / shard_name(0), folder / shard_name(1)
    rows = np.zeros(3, row_type(few.taps))
    zeros = {tap.name: tap.encode(torch.zeros(3, *tap.shape)) for tap in few.taps}
    fill(rows, few, few.shards[0], zeros, range(3))
    np.save(one, rows)
    np.save(two, rows)
    assert not Rows(folder, few).fault(0, whole=True)
    assert Rows(folder, few).fault(1, whole=True)
