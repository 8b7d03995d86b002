import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mmkd.resilience.files import remove, save_atomically, whole_or_nothing


class Unpicklable:
    def __reduce__(self) -> tuple:
        raise OSError('No space left on device')


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """Make the system refuse to write files larger than this many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_replaces_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / 'state.pth'
    for value in (1, 2):
        save_atomically(dict(value=value), path)
        assert torch.load(path) == dict(value=value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / 'state.pth'
    save_atomically(dict(value=1), path)
    with pytest.raises(OSError, match='No space'):
        save_atomically(dict(value=Unpicklable()), path)
    assert torch.load(path) == dict(value=1)
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_too_small(tmp_path: Path) -> None:
    path = tmp_path / 'state.pth'
    save_atomically(dict(value=1), path)
    with small_disk(10_000), pytest.raises(OSError, match='too large') as refusal:
        save_atomically(dict(value=torch.zeros(100_000)), path)
    assert refusal.value.errno == errno.EFBIG
    assert torch.load(path) == dict(value=1)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / 'sharded'
    with whole_or_nothing(path) as partial:
        partial.mkdir()
        (partial / 'rank0').write_text('a')
        assert not path.exists()
    assert (path / 'rank0').read_text() == 'a'
    assert list(tmp_path.iterdir()) == [path]


def test_everything_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before it is renamed, the folder afterwards."""
    steps: list[tuple[str, bool]] = []
    path = tmp_path / 'state.pth'

    def note(flushed: Path) -> None:
        steps.append((flushed.name, path.exists()))

    monkeypatch.setattr('mmkd.resilience.files._flush', note)
    save_atomically(1, path)
    assert steps == [('state.pth.partial', False), (tmp_path.name, True)]


def test_remove(tmp_path: Path) -> None:
    (tmp_path / 'folder' / 'inner').mkdir(parents=True)
    for name in ('folder', 'none'):
        remove(tmp_path / name)
    assert not list(tmp_path.iterdir())
