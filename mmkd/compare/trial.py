"""How long an epoch or iteration of a training takes, found by timing a few steps."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from mmkd.runs import Run, read_run
from mmkd.runs.processes import ended_by_sigterm, environment_with
from mmkd.runs.texts import steps_of_an_epoch
from mmkd.runs.training import Training

LINES = 6
"""Logged lines to wait for; the first includes the start-up."""

SOON = ('default_hooks.logger.interval=5', 'train_cfg.val_begin=1000000000')
"""Options of a trial: log often, never validate."""


def minutes_of_one(training: Training, unit: str, threads: int | None = None) -> float:
    """How many minutes an epoch or an iteration of a training takes.

    The step time is the median of the logged ones, including waits for data. Start-up
    and validation do not count.

    Args:
        training: The trial; it is terminated once it has run long enough.
        unit: ``'epochs'`` or ``'iterations'``, the unit of its length.
        threads: Number of PyTorch's threads; None does not change it.

    Raises:
        RuntimeError: If it fails, or ends without enough steps.
    """
    run = _timed(training, threads)
    assert run.step_ms is not None
    steps = steps_of_an_epoch(run.texts) if unit == 'epochs' else 1
    if steps is None:
        raise RuntimeError(f'{run.folder} has not logged an epoch.')
    return run.step_ms * steps / 60_000


def _timed(training: Training, threads: int | None) -> Run:
    # The steps of an earlier trial were another machine's, or another program's.
    shutil.rmtree(training.work_dir, ignore_errors=True)
    training.work_dir.mkdir(parents=True)
    output = training.work_dir / 'output.txt'
    with ended_by_sigterm(), output.open('w') as file:
        process = subprocess.Popen(
            [sys.executable, *training.command],
            stdout=file,
            stderr=file,
            env=environment_with(threads),
        )
        try:
            while process.poll() is None and _logged(training.work_dir) < LINES:
                time.sleep(0.2)
        finally:
            process.terminate()
            process.wait()
    if _logged(training.work_dir) < 2:
        raise training.error('ended before it could be timed', output)
    return read_run(training.work_dir)


def _logged(work_dir: Path) -> int:
    try:
        return len(read_run(work_dir).scalars.train.get('time', {}))
    except (FileNotFoundError, ValueError):
        # No log yet, or an incomplete line.
        return 0
