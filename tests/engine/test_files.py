from pathlib import Path

import pytest
import torch

from mmkd.engine.files import save_atomically


class Unpicklable:
    def __reduce__(self) -> tuple:
        raise OSError('No space left on device')


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
