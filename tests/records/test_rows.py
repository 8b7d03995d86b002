"""Rows are what was written, or an error that names their file."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmkd.records import RecordError, Rows
from mmkd.records.manifest import shard_name
from mmkd.records.rows import SAMPLE


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
    file.write_bytes(content)


@pytest.mark.parametrize('kind', ['missing', 'truncated', 'of other rows', 'no array'])
def test_a_shard_that_is_not_whole_is_named_before_anything_is_read(
    kind: str, record: Callable[..., Any]
) -> None:
    folder, manifest = record()
    damage(folder / shard_name(1), kind)
    rows = Rows(folder, manifest)
    with pytest.raises(RecordError, match=r'1 of the 4 .*shard_000001\.npy.*mends'):
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
