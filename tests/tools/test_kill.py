"""Trainings killed at random moments, some while they write a checkpoint."""

import multiprocessing
import os
import random
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import mmpretrain  # noqa: F401 -- once, for all processes forked from here
import numpy as np
import pytest
import torch

from mmkd.checkpoints.loading import safe_load
from mmkd.models import build_model

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / 'tests' / 'tools' / 'training_to_kill.py'
DEMO = ROOT / 'configs' / 'demo' / 'classification'
INTERVAL = 5

CONFIG = """
_base_ = {base!r}
model = dict(
    student=dict(backbone=dict(drop_path_rate=0.2)),
    methods=dict(
        dual_head=dict(warmup=7, gradient_alignment=True),
        crd=dict(type='CRD', channels=8, negatives=16)))
custom_hooks = [
    dict(type='EMAHook', momentum=0.1),
    dict(type='mmkd.NoteHook')
]
randomness = dict(seed=3)
train_dataloader = dict(
    batch_size=8, num_workers={workers}, persistent_workers={workers} > 0)
"""
BY_ITERATION = """
train_dataloader['sampler'] = dict(type='InfiniteSampler')
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters={length}, val_interval=5)
param_scheduler = dict(
    _delete_=True, type='PolyLR', power=0.9, by_epoch=False, end=500)
log_processor = dict(by_epoch=False)
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False, interval=5, max_keep_ckpts=1, save_best='accuracy/top1'))
"""
BY_EPOCH = """
train_cfg = dict(max_epochs={length} // 5, val_interval=1)
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1, save_best='accuracy/top1'))
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images in five batches, and a teacher."""
    root = tmp_path_factory.mktemp('data')
    generator = np.random.default_rng(0)
    for split in ('train', 'val'):
        for number in range(40):
            path = root / split / str(number % 10) / f'{number}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            image = generator.integers(0, 255, (8, 8), dtype=np.uint8)
            cv2.imwrite(str(path), image)
    teacher = build_model(str(DEMO / 'teacher.py'))
    torch.save(teacher.state_dict(), root / 'teacher.pth')
    return root


class Training:
    """A training in a folder that can be started any number of times."""

    def __init__(
        self,
        folder: Path,
        data: Path,
        length: int,
        by_epoch: bool,
        workers: int,
        options: Sequence[str] = (),
    ) -> None:
        self.folder, self.length = folder, length
        folder.mkdir()
        text = CONFIG + (BY_EPOCH if by_epoch else BY_ITERATION)
        config = folder.with_suffix('.py')
        config.write_text(
            text.format(
                base=str(DEMO / 'dhkd.py'),
                by_epoch=by_epoch,
                workers=workers,
                length=length,
            )
        )
        self.arguments = [
            *(str(config), '--work-dir', str(folder), '--resume'),
            # It is random.
            '--no-teacher-check',
            *('--data-root', str(data), '--teacher', str(data / 'teacher.pth')),
            *options,
        ]

    def start(self, fresh: bool = False) -> Any:
        """Start in a process forked from this one, or in a new one."""
        if fresh:
            return self._open(SCRIPT)
        process = multiprocessing.get_context('fork').Process(target=self._run)
        process.start()
        return process

    def _open(self, *command: object) -> subprocess.Popen:
        with (self.folder / 'output').open('a') as log:
            return subprocess.Popen(
                [sys.executable, *map(str, command), *self.arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
            )

    def _run(self) -> None:
        sys.stdout = sys.stderr = (self.folder / 'output').open('a')
        runpy.run_path(str(SCRIPT))['main'](self.arguments)

    def notes(self) -> list[str]:
        """The iterations done so far, and where each process started."""
        path = self.folder / 'iterations'
        return path.read_text().split() if path.exists() else []

    def is_writing(self) -> bool:
        return any(self.folder.glob('*.partial'))

    def finish(self) -> dict[str, Any]:
        """Wait until it ends."""
        process = self.start()
        process.join(3600)
        assert process.exitcode == 0, self.output()
        return self.results()

    def output(self) -> str:
        """The output of its processes."""
        return (self.folder / 'output').read_text()

    def launch(self) -> subprocess.Popen:
        """Start it in two new processes."""
        torchrun = ('torch.distributed.run', '--standalone', '--nproc_per_node=2')
        return self._open('-m', *torchrun, SCRIPT, '--launcher', 'pytorch')

    def results(self) -> dict[str, Any]:
        """Read the files that it has left at the end."""
        checkpoint = safe_load((self.folder / 'last_checkpoint').read_text())
        # With max_keep_ckpts=1: the last one, the best one and the student.
        assert len(list(self.folder.glob('*.pth*'))) == 3
        assert checkpoint['meta']['iter'] == self.length
        names = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
        student = safe_load(self.folder / 'student.pth')['state_dict']
        best = safe_load(next(self.folder.glob('best_*.pth')))['state_dict']
        return {**{name: checkpoint[name] for name in names}, 's': student, 'b': best}

    def kill(self, process: Any, condition: Callable[[], bool], delay: float) -> bool:
        """Kill it this long after a condition becomes true.

        Returns:
            Whether it was killed before its end.
        """
        end = time.monotonic() + 600
        while not condition() and _is_alive(process):
            assert time.monotonic() < end, self.output()
            time.sleep(0.001)
        time.sleep(delay)
        alive = _is_alive(process)
        process.kill()
        process.join() if isinstance(process, BaseProcess) else process.wait()
        return alive


def _is_alive(process: Any) -> bool:
    if isinstance(process, BaseProcess):
        return process.is_alive()
    return process.poll() is None


def most_repeated(notes: list[str]) -> int:
    """The largest number of iterations repeated after a start."""
    most, last = 0, 0
    for before, note in pairwise(notes):
        if note == 'start':
            continue
        if before == 'start':
            assert int(note) <= last + 1, 'iterations were left out'
            most = max(most, last + 1 - int(note))
        last = int(note)
    return most


def assert_equal(first: Any, second: Any) -> None:
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_equal(first[name], second[name])
    elif isinstance(first, (list, tuple)):
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second


def kill_and_compare(
    folder: Path, data: Path, kills: int, length: int, fresh: int, **kind: Any
) -> str:
    """Kill a training this often, and compare it with an uninterrupted one."""
    chance = random.Random(7)
    whole = Training(folder / 'whole', data, length, **kind)
    killed = Training(folder / 'killed', data, length, **kind)
    expected = whole.finish()
    done = in_writing = 0
    while done < kills:
        process = killed.start(fresh=done % 10 < fresh)
        made = len(killed.notes()) + chance.randint(1, 3 * INTERVAL)
        write = done % 3 == 1

        def condition(made: int = made, write: bool = write) -> bool:
            # Once started, it has removed the leftovers of the previous one.
            started = len(killed.notes()) > made
            return started and (killed.is_writing() or not write)

        delay = chance.uniform(0, 0.1)
        assert killed.kill(process, condition, delay), 'the training was too short'
        done += 1
        in_writing += killed.is_writing()
    assert in_writing
    assert_equal(killed.finish(), expected)
    repeated = most_repeated(killed.notes())
    assert repeated <= INTERVAL
    assert not killed.is_writing()
    return (
        f'{kind}: {done} kills, {in_writing} of them while a checkpoint was half '
        f'written; at most {repeated} of {length} iterations repeated at a time; '
        'student, average, optimiser, schedules and best checkpoint bitwise equal'
    )


KINDS = [
    pytest.param(dict(by_epoch=False, workers=2), id='iterations'),
    pytest.param(dict(by_epoch=True, workers=0), id='epochs'),
    pytest.param(dict(by_epoch=False, workers=0, options=['--amp']), id='amp'),
]


LONG = pytest.mark.check
FEW = [
    KINDS[0],
    *(pytest.param(*kind.values, id=kind.id, marks=LONG) for kind in KINDS[1:]),
]


@pytest.mark.parametrize('kind', FEW)
def test_a_few_kills(kind: dict[str, Any], data: Path, tmp_path: Path) -> None:
    kill_and_compare(tmp_path, data, kills=3, length=30, fresh=0, **kind)


@pytest.mark.soak
@pytest.mark.parametrize('kind', KINDS)
def test_fifty_kills(kind: dict[str, Any], data: Path, tmp_path: Path) -> None:
    print(kill_and_compare(tmp_path, data, kills=50, length=700, fresh=1, **kind))


@pytest.mark.soak
def test_sigterm_to_two_processes(data: Path, tmp_path: Path) -> None:
    """The launcher passes it on to both."""
    kind: Any = dict(length=100, by_epoch=False, workers=1)
    whole = Training(tmp_path / 'whole', data, **kind)
    stopped = Training(tmp_path / 'stopped', data, **kind)
    assert whole.launch().wait(500) == 0
    stops = 0
    for pause in (0.1, 0.4, 0.8):
        process, begun = stopped.launch(), len(stopped.notes())
        while len(stopped.notes()) < begun + 2:
            assert process.poll() is None, stopped.output()
            time.sleep(0.01)
        time.sleep(pause)
        process.terminate()
        process.wait(100)
        stops += 1
        assert stopped.output().count('Stopped by SIGTERM after') == stops
        # torchrun itself ends with a SignalException.
        assert stopped.output().count('Traceback') == stops
    assert stopped.launch().wait(500) == 0
    assert most_repeated(stopped.notes()) == 0
    assert_equal(stopped.results(), whole.results())
    print(f'{stops} SIGTERMs to two processes: nothing repeated, results bitwise equal')


def test_repetitions_are_counted() -> None:
    assert most_repeated(['start', '1', '2', '3', 'start', '4', '5']) == 0
    assert most_repeated(['start', '1', '2', '3', 'start', 'start', '2', '3']) == 2
    with pytest.raises(AssertionError, match='left out'):
        most_repeated(['start', '1', 'start', '3'])
