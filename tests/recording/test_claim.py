"""Only one recorder per part writes into a folder."""

import errno
import fcntl
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mmkd.recording import claim
from mmkd.recording.claim import claimed, settled
from mmkd.records import RecordError, StoredTap, read_manifest
from mmkd.records.manifest import Manifest
from mmkd.resilience.files import whole_or_nothing

WHOLE = Manifest(
    mmkd='0.1',
    teacher={},
    views=dict(seed=0, count=1),
    pipeline={},
    data=dict(samples=1, sha256='x'),
    inputs={},
    taps=[StoredTap('output of a', (6,))],
    rows=1,
)


@contextmanager
def held_elsewhere(folder: Path, part: tuple[int, int]) -> Iterator[Any]:
    """Make another process lock a part."""
    fork = multiprocessing.get_context('fork')
    ready, holds = fork.Pipe(duplex=False)

    def hold() -> None:
        with claimed(folder, part):
            holds.send(True)
            time.sleep(60)

    process = fork.Process(target=hold)
    process.start()
    try:
        assert ready.poll(60)
        yield process
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize('part', [(1, 2), (1, 1), (2, 3)])
def test_two_recorders_of_the_same_rows_are_refused(
    part: tuple[int, int], tmp_path: Path
) -> None:
    with (
        held_elsewhere(tmp_path / 'record', (1, 2)) as other,
        pytest.raises(RecordError, match=rf'process {other.pid} on .*part_1_of_2'),
        claimed(tmp_path / 'record', part),
    ):
        pass


def test_other_parts_of_as_many_may_be_recorded_at_once(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, (1, 2)), claimed(tmp_path, (2, 2)):
        pass


def test_parts_that_begin_together_write_one_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def slowly(path: Path) -> Iterator[Path]:
        with whole_or_nothing(path) as partial:
            yield partial
            time.sleep(0.2)

    def settle() -> None:
        settled(tmp_path, WHOLE, ['a.png'])

    monkeypatch.setattr(claim, 'whole_or_nothing', slowly)
    fork = multiprocessing.get_context('fork')
    parts = [fork.Process(target=settle) for _ in range(4)]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    assert [part.exitcode for part in parts] == [0] * 4
    assert read_manifest(tmp_path).identity == WHOLE.identity


def test_one_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, (1, 2)) as other:
        other.kill()
        other.join()
        with claimed(tmp_path, (1, 1)):
            pass


def test_a_file_system_without_locks_holds_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some network file systems: nobody is blamed for it."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSYS, 'Function not implemented')

    monkeypatch.setattr(fcntl, 'lockf', refuse)
    for part in ((1, 2), (1, 1)):
        with claimed(tmp_path, part):
            settled(tmp_path, WHOLE, ['a.png'])
    assert read_manifest(tmp_path).identity == WHOLE.identity


def test_a_disk_that_is_full_is_named(tmp_path: Path) -> None:
    """Whatever was being written, such as a log."""
    with (
        pytest.raises(RecordError, match=r'written to: .*No space.*room'),
        claimed(tmp_path, (1, 1)),
    ):
        raise OSError(errno.ENOSPC, 'No space left on device')
    with pytest.raises(FileNotFoundError), claimed(tmp_path, (1, 1)):
        raise FileNotFoundError(errno.ENOENT, 'images')


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_another_file_is_not_the_records(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = Path('records', 'x')
    for name in (record / 'logs', record.absolute() / 'logs', record.parent):
        with pytest.raises(RecordError, match='make room'), claimed(record, (1, 1)):
            raise OSError(number, 'refused', str(name))
    with pytest.raises(OSError, match='cache') as other, claimed(record, (1, 1)):
        raise OSError(number, 'refused', str(tmp_path / 'cache'))
    assert other.value.errno == number


def test_a_folder_that_may_not_be_written_to_is_no_image_that_may_not_be_read(
    tmp_path: Path,
) -> None:
    for name, expected in (('record/logs', RecordError), ('image', PermissionError)):
        with pytest.raises(expected), claimed(tmp_path / 'record', (1, 1)):
            raise PermissionError(errno.EACCES, 'denied', str(tmp_path / name))
