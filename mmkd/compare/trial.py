"""The length of a training for given minutes, found by timing a few steps."""

import re
import subprocess
import sys
import time
from pathlib import Path

from mmkd.runs import Run, read_run
from mmkd.runs.training import Training

LINES = 6
"""Logged lines to wait for; the first includes the start-up."""

SOON = ('default_hooks.logger.interval=5', 'train_cfg.val_begin=1000000000')
"""Options of a trial: log often, never validate."""

EPOCH = re.compile(r'Epoch\(train\)\s+\[\d+\]\[\s*\d+/(\d+)\]')


def timed_length(training: Training, minutes: float, unit: str) -> int:
    """How many epochs or iterations of a training take the given minutes.

    The step time is the median of the logged ones, including waits for data. Start-up
    and validation do not count.

    Args:
        training: The trial; it is terminated once it has run long enough.
        minutes: How long the training should take.
        unit: ``'epochs'`` or ``'iterations'``, the unit of its length.

    Raises:
        RuntimeError: If it fails, or ends without enough steps.
    """
    run = _timed(training)
    assert run.step_ms is not None
    steps = minutes * 60_000 / run.step_ms
    if unit == 'epochs':
        steps /= _steps_of_an_epoch(run)
    return max(1, round(steps))


def _timed(training: Training) -> Run:
    training.work_dir.mkdir(parents=True, exist_ok=True)
    output = training.work_dir / 'output.txt'
    with output.open('w') as file:
        process = subprocess.Popen(
            [sys.executable, *training.command], stdout=file, stderr=file
        )
        try:
            while process.poll() is None and _logged(training.work_dir) < LINES:
                time.sleep(0.2)
        finally:
            process.terminate()
            process.wait()
    if _logged(training.work_dir) < 2:
        last = ''.join(output.read_text().strip().splitlines(True)[-3:])
        raise RuntimeError(
            f'{" ".join(training.command)} ended before it could be timed, see '
            f'{output}. It ends with:\n{last}'
        )
    return read_run(training.work_dir)


def _logged(work_dir: Path) -> int:
    try:
        return len(read_run(work_dir).scalars.train.get('time', {}))
    except (FileNotFoundError, ValueError):
        # No log yet, or an incomplete line.
        return 0


def _steps_of_an_epoch(run: Run) -> int:
    for text in run.texts:
        found = EPOCH.search(text.read_text(errors='replace'))
        if found:
            return int(found[1])
    raise RuntimeError(f'{run.folder} has not logged an epoch.')
