"""How missing shards are divided among processes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from two_processes import in_two_processes

from mmkd.recording.recorder import Recorder
from mmkd.records import RecordError, StoredTap
from mmkd.records.manifest import Manifest

MANIFEST = Manifest(
    mmkd='0.1',
    teacher={},
    views=dict(seed=0, count=1),
    pipeline={},
    data=dict(samples=8, sha256='x'),
    inputs={},
    taps=[StoredTap('output of a', (6,))],
    rows=1,
)


def recorder(
    folder: Path, missing: Callable[[int], bool], patch: pytest.MonkeyPatch
) -> tuple[Recorder, Any]:
    """A recorder that notes which shards it writes; some exist already."""
    stream: Any = SimpleNamespace(batch=1, see=iter)
    found = Recorder(stream, folder, MANIFEST, log=str)
    written: list[int] = []
    rows: Any = SimpleNamespace(fault=lambda n, whole: 'missing' * missing(n))
    found.rows = rows
    patch.setattr(found, 'write', lambda shard, seen: written.append(shard))
    return found, written


def test_processes_share_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one waits for another until gloo times out."""

    def work(rank: int) -> list[int]:
        made, written = recorder(tmp_path, lambda shard: shard % 2 == 1, monkeypatch)
        made.run(0.1)
        return written

    assert in_two_processes(work, tmp_path) == [[1, 5], [3, 7]]


def test_the_disk_must_have_room_for_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=7 * 24)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: free)

    def work(rank: int) -> None:
        recorder(tmp_path, lambda shard: True, monkeypatch)[0].run(0.1)

    with pytest.raises(RecordError, match='are still to be written'):
        in_two_processes(work, tmp_path)
