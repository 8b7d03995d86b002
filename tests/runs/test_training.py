"""A training in a process of its own."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmkd.runs.training import Training


def test_what_is_done_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run(command: list[str], **_: Any) -> Any:
        ran.append(command[1:])
        return SimpleNamespace(returncode='fails' in command)

    monkeypatch.setattr(subprocess, 'run', run)
    first = Training('one_head', 0, ('train.py', 'a'), tmp_path / 'run')
    for _ in range(2):
        first.run(threads=1)
    assert ran == [['train.py', 'a']]
    assert first.is_done
    other = Training('one_head', 0, ('train.py', 'b'), tmp_path / 'run')
    with pytest.raises(ValueError, match='training of another command'):
        other.run()
    failing = Training('one_head', 1, ('train.py', 'fails'), tmp_path / 'other')
    with pytest.raises(RuntimeError, match=r'failed, see .*output\.txt'):
        failing.run()
    assert not failing.is_done
