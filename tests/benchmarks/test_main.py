import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__, alone
from benchmarks.table import Row, row, write


def measured(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *only: str
) -> tuple[list[set[str]], list[str]]:
    """What is measured of each pair in this process, and in another one."""
    here: list[set[str]] = []
    elsewhere: list[str] = []

    def rows_of(
        pair: Any, device: str, subjects: Collection[str], rounds: int
    ) -> list[Row]:
        here.append({*subjects})
        return []

    def run(command: Sequence[str]) -> str:
        elsewhere.extend(command[command.index('--only') + 1 :][:1])
        write([row('figure', 'pair', [0.5])], Path(command[-1]))
        return ''

    monkeypatch.setattr(__main__, 'rows_of', rows_of)
    monkeypatch.setattr(alone, 'run', run)
    out = folder / 'bench.json'
    monkeypatch.setattr(sys, 'argv', ['', '--only', *only, '--out', str(out)])
    __main__.main()
    assert ('figure' in out.read_text()) == bool(elsewhere)
    return here, elsewhere


def test_what_changes_the_allocator_has_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = measured(monkeypatch, tmp_path, 'steps', 'alignment', 'memory')
    assert found == ([{'steps', 'memory'}] * 2, ['alignment'])


@pytest.mark.parametrize('subject', ['steps', 'alignment'])
def test_a_process_of_one_subject_needs_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, subject: str
) -> None:
    assert measured(monkeypatch, tmp_path, subject) == ([{subject}] * 2, [])
