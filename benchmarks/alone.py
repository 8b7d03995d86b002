"""Rows measured in a process of their own, as ``--only`` measures them."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.commands import run
from benchmarks.table import Row

ALONE = 'alignment'
"""A subject whose trainings change the allocator of their process for good."""


def rows(rounds: int) -> Iterator[Row]:
    """Measure the subject in a new process.

    Args:
        rounds: How often the forms of a step take turns.

    Raises:
        RuntimeError: If it fails; the message ends with its last lines.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'bench.json')
        command = ['-m', 'benchmarks', '--only', ALONE, '--rounds', str(rounds)]
        run([*command, '--out', str(file)])
        for values in json.loads(file.read_text(encoding='utf-8')):
            yield Row(**values)
