"""Commands in separate processes, with one or more threads."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
TRAIN = str(ROOT / 'tools' / 'train.py')


def run(command: Sequence[str], threads: int = 1, python: str = sys.executable) -> str:
    """Run a Python command and return what it prints.

    Args:
        command: The arguments of the interpreter.
        threads: How many threads PyTorch may use.
        python: The interpreter.

    Raises:
        RuntimeError: If it fails; the message ends with its last lines.
    """
    environment = {
        **os.environ,
        'OMP_NUM_THREADS': str(threads),
        'PYTHONPATH': str(ROOT),
    }
    done = subprocess.run(
        [python, *command], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise RuntimeError(f'{" ".join(command)}: {done.stderr.strip()[-2000:]}')
    return done.stdout
