"""A few timed steps give the length of a training."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmkd.compare.trial import LINES, minutes_of_one
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


@pytest.mark.parametrize(('unit', 'steps'), [('iterations', 1), ('epochs', 40)])
def test_the_median_step_counts_and_the_trial_ends(
    unit: str, steps: int, tmp_path: Path
) -> None:
    """Half a second per step, 40 steps per epoch."""
    trial = training(tmp_path, LINES, sleep=600)
    begin = time.monotonic()
    assert minutes_of_one(trial, unit) == pytest.approx(steps * 0.5 / 60)
    assert time.monotonic() - begin < 300
    with pytest.raises(ProcessLookupError):
        os.kill(int((trial.work_dir / 'pid').read_text()), 0)


def test_sigterm_ends_the_trial(tmp_path: Path) -> None:
    trial = training(tmp_path, 1, sleep=600)
    timing = f"""
from pathlib import Path
from mmkd.compare.trial import minutes_of_one
from mmkd.runs.training import Training
trial = Training('kd', 0, {trial.command!r}, Path({str(trial.work_dir)!r}))
minutes_of_one(trial, 'iterations')
"""
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, '-c', timing], env=environment)
    pid = trial.work_dir / 'pid'
    until = time.monotonic() + 300
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < until
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_an_earlier_trial_does_not_count(tmp_path: Path) -> None:
    """Its script refuses to write into the folder of another run of it."""
    for _ in range(2):
        trial = training(tmp_path, LINES, sleep=600)
        assert minutes_of_one(trial, 'iterations') == pytest.approx(0.5 / 60)


def test_one_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r'it could be timed.*\n.*out of memory'):
        minutes_of_one(training(tmp_path, 1, 0), 'iterations')
