"""A folder is recorded into by one recorder of each part."""

import errno
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mmkd.recording.claim import claimed
from mmkd.records import RecordError


@contextmanager
def held_elsewhere(folder: Path, part: tuple[int, int]) -> Iterator[Any]:
    """Let another process hold a part."""
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


def test_one_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, (1, 2)) as other:
        other.kill()
        other.join()
        with claimed(tmp_path, (1, 1)):
            pass


def test_a_disk_that_is_full_is_named(tmp_path: Path) -> None:
    """Whatever was to be written, such as a log."""
    with (
        pytest.raises(RecordError, match=r'written to: .*No space.*room'),
        claimed(tmp_path, (1, 1)),
    ):
        raise OSError(errno.ENOSPC, 'No space left on device')
    with pytest.raises(FileNotFoundError), claimed(tmp_path, (1, 1)):
        raise FileNotFoundError(errno.ENOENT, 'images')


def test_a_folder_that_may_not_be_written_to_is_no_image_that_may_not_be_read(
    tmp_path: Path,
) -> None:
    for name, expected in (('record/logs', RecordError), ('image', PermissionError)):
        with pytest.raises(expected), claimed(tmp_path / 'record', (1, 1)):
            raise PermissionError(errno.EACCES, 'denied', str(tmp_path / name))
