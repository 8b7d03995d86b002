"""A few timed steps give the length of a training."""

import os
import time
from pathlib import Path

import pytest

from mmkd.compare.trial import LINES, timed_length
from mmkd.runs.training import Training

SCRIPT = """
import json, os, sys, time
from pathlib import Path
folder = Path({folder!r}, '20260101_000000')
(folder / 'vis_data').mkdir(parents=True)
(folder.parent / 'pid').write_text(str(os.getpid()))
(folder / 'a.log').write_text('Epoch(train)  [1][ 5/40]  lr: 0.1')
with (folder / 'vis_data' / 'scalars.json').open('w') as log:
    for step in range({lines}):
        line = dict(time=3.0 if step == 0 else 0.5, loss=1.0, step=step, iter=step)
        log.write(json.dumps(line) + chr(10))
        log.flush()
print('out of memory')
time.sleep({sleep})
"""


def training(tmp_path: Path, lines: int, sleep: float) -> Training:
    script, folder = tmp_path / 'train.py', tmp_path / 'trial'
    script.write_text(SCRIPT.format(folder=str(folder), lines=lines, sleep=sleep))
    return Training('kd', 0, (str(script),), folder)


@pytest.mark.parametrize(('unit', 'length'), [('iterations', 240), ('epochs', 6)])
def test_the_median_step_counts_and_the_trial_ends(
    unit: str, length: int, tmp_path: Path
) -> None:
    """Two minutes at half a second per step, 40 steps per epoch."""
    trial = training(tmp_path, LINES, sleep=600)
    begin = time.monotonic()
    assert timed_length(trial, 2, unit) == length
    assert time.monotonic() - begin < 300
    with pytest.raises(ProcessLookupError):
        os.kill(int((trial.work_dir / 'pid').read_text()), 0)


def test_a_training_is_one_step_at_least(tmp_path: Path) -> None:
    assert timed_length(training(tmp_path, LINES, 600), 1e-6, 'epochs') == 1


def test_one_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r'it could be timed.*\n.*out of memory'):
        timed_length(training(tmp_path, 1, 0), 1, 'iterations')
