"""Trainings that take no time."""

from pathlib import Path
from typing import Any

from mmkd.runs.training import Training

EXIT = 'import sys; sys.exit(int(sys.argv[1]))'
"""A training that ends with the code it is given."""


def made(folder: Path, *words: str, **facts: Any) -> Training:
    command = ('train.py', *words, '--work-dir', str(folder))
    return Training('one_head', 0, command, folder, facts)


def scripts(tmp_path: Path, codes: str) -> list[Training]:
    script = tmp_path / 'train.py'
    script.write_text(EXIT)
    return [
        Training('kd', seed, (str(script), code), tmp_path / f'{seed}')
        for seed, code in enumerate(codes)
    ]
