"""Trainings that show the effect of recording on accuracy and time.

Each study runs a list of trainings, one after another, and writes a line of JSON for
each; those that have a line are not run again. docs/performance.md and docs/results.md
show the results.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.commands import ROOT, TRAIN, run
from mmkd.runs import read_run

RECORD = str(ROOT / 'tools' / 'record.py')
IMAGES = 'resnet20_resnet8_tin100'
HEAVY = 'resnet110_resnet20_cifar100'
MAPS = 'deeplabv3-w48_deeplabv3-w16_camvid'
ALONE = [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]
LIVE = 'live'
BASE = """
_base_ = 'mmkd::_base_/pairs/{}.py'
"""
IN_MEMORY = """
data_preprocessor = dict(
    type='mmkd.CropFlipDataPreprocessor', padding=4, flip_prob=0.5)
train_dataloader = dict(
    dataset=dict(in_memory=True, pipeline=[dict(type='PackInputs')]))
"""
"""Images held decoded, so that reading them has no influence."""
FEW_IMAGES = """
train_dataloader['dataset']['indices'] = 1280
val_dataloader = dict(dataset=dict(indices=[*range(0, 5000, 20)]))
"""
"""For a study of time only: twenty batches, and a fifth as many validation images."""


def epochs(length: int) -> list[str]:
    """Options for a number of epochs; the rate drops after the same fractions of it."""
    milestones = [round(length * part) for part in (2 / 3, 5 / 6)]
    text = f'param_scheduler.milestones={milestones}'.replace(' ', '')
    return [f'train_cfg.max_epochs={length}', text, 'train_cfg.val_interval=2']


def iterations(length: int) -> list[str]:
    """Options for a number of iterations, over which the rate decays completely."""
    keys = ('train_cfg.max_iters', 'train_cfg.val_interval', 'param_scheduler.0.end')
    return [f'{key}={length}' for key in keys]


@dataclass(frozen=True)
class Task:
    """How a pair is trained here.

    Attributes:
        config: Text of the config, with a placeholder for the pair's name.
        score: The logged score, in per cent.
        schedule: Maps a length to command-line options.
        methods: Those that compare logits on this pair.
        lengths: Epochs or iterations per run, by study.
    """

    config: str
    score: str
    schedule: Callable[[int], list[str]]
    methods: tuple[str, ...]
    lengths: dict[str, int]


TASKS = {
    IMAGES: Task(
        config=BASE + IN_MEMORY,
        score='accuracy/top1',
        schedule=epochs,
        methods=('kd', 'dhkd', 'dkd', 'dist', 'binary_kl'),
        lengths=dict(float16=6, views=32),
    ),
    HEAVY: Task(
        config=BASE + IN_MEMORY + FEW_IMAGES,
        score='accuracy/top1',
        schedule=epochs,
        methods=('kd', 'dhkd', 'dkd', 'dist', 'binary_kl'),
        lengths=dict(methods=32),
    ),
    MAPS: Task(
        config=BASE,
        score='mIoU',
        schedule=iterations,
        methods=('kd', 'dhkd', 'cwd', 'dist', 'binary_kl'),
        lengths=dict(float16=2500, views=2500, methods=600),
    ),
}


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        study: Its study.
        pair: The pair.
        method: The method.
        teacher: ``'live'``, or the dtype of a record.
        views: Views per sample; None for a new one at each visit.
        seed: The seed.
        length: Its epochs, or iterations if the pair's schedule counts those.
    """

    study: str
    pair: str
    method: str
    teacher: str
    views: int | None
    seed: int
    length: int


def jobs(study: str, pair: str) -> Iterator[Job]:
    """The trainings of a study, ordered so that comparisons are complete early.

    Args:
        study: Which one.
        pair: A key of ``TASKS``.

    Raises:
        ValueError: If the study has no length on this pair.
    """
    task = TASKS[pair]
    if study not in task.lengths:
        raise ValueError(f'{pair} only has the studies {sorted(task.lengths)}.')
    job = partial(Job, study, pair, length=task.lengths[study])
    if study == 'float16':
        for seed in range(8):
            for teacher in (LIVE, 'float16'):
                yield job('kd', teacher, 16, seed)
    if study == 'views':
        for seed in range(3):
            for method in ('kd', 'dhkd'):
                for views in (1, 4, 16):
                    yield job(method, 'float16', views, seed)
                yield job(method, LIVE, None, seed)
    if study == 'methods':
        for seed in range(3):
            for method in task.methods:
                for teacher in (LIVE, 'float16'):
                    yield job(method, teacher, 16, seed)


def train(job: Job, args: argparse.Namespace) -> dict[str, object]:
    """Run a training, after making its record if there is none yet.

    Returns:
        Its result line.
    """
    task = TASKS[job.pair]
    command = [_config(job, args), '--method', job.method]
    command += ['--data-root', str(args.data_root)]
    command += ['--no-teacher-check']
    if job.teacher == LIVE:
        command += ['--teacher', str(args.teacher)]
        if job.views is not None:
            command += ['--views', str(job.views), '--view-seed', '0']
        recording = 0.0
    else:
        record, recording = _record(job, args)
        command += ['--recorded', str(record)]
    work = args.work_dir / '_'.join(map(str, asdict(job).values()))
    begin, used = time.time(), _processor()
    command += ['--resume', '--work-dir', str(work), '--cfg-options', *ALONE]
    command += [*task.schedule(job.length), f'randomness.seed={job.seed}']
    if args.amp:
        command.insert(1, '--amp')
    run([TRAIN, *command])
    scores = read_run(work).score(task.score)
    return {
        **asdict(job),
        'amp': args.amp,
        'last': round(scores[max(scores)], 2),
        'best': round(max(scores.values()), 2),
        'minutes': round((time.time() - begin) / 60, 2),
        'processor_minutes': round((_processor() - used) / 60, 2),
        'record_processor_minutes': recording,
        'command': _make(job, args),
    }


def _make(job: Job, args: argparse.Namespace) -> list[str]:
    """The command for this line and its study's others, without local paths."""
    options = ['--amp'] if args.amp else []
    options += ['--pair', job.pair] if job.pair != IMAGES else []
    command = ['make', 'record-runs', f'STUDY={job.study}', 'DATA=DIR', 'TEACHER=CKPT']
    return command + ([f'OPTIONS={" ".join(options)}'] if options else [])


def _record(job: Job, args: argparse.Namespace) -> tuple[Path, float]:
    """The record of a job and the CPU minutes that it took."""
    folder = args.work_dir / f'record_{job.pair}_{job.teacher}_{job.views}'
    done = folder / 'done.json'
    if not done.exists():
        begin = _processor()
        command = [RECORD, _config(job, args), '--method', 'kd', '--no-teacher-check']
        command += ['--data-root', str(args.data_root)]
        command += ['--teacher', str(args.teacher), '--out', str(folder)]
        command += ['--views', str(job.views), '--dtype', job.teacher]
        run([*command, '--cfg-options', *ALONE])
        done.write_text(json.dumps(round((_processor() - begin) / 60, 2)))
    return folder, json.loads(done.read_text())


def _config(job: Job, args: argparse.Namespace) -> str:
    file = args.work_dir / f'{job.pair}.py'
    file.write_text(TASKS[job.pair].config.format(job.pair))
    return str(file)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run the missing trainings of a study."""
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.record_runs', description=__doc__
    )
    parser.add_argument('study', choices=('float16', 'views', 'methods'))
    parser.add_argument('--pair', choices=sorted(TASKS), default=IMAGES)
    parser.add_argument('--data-root', type=Path, required=True)
    parser.add_argument('--teacher', type=Path, required=True, help='its checkpoint')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/record_runs'))
    args = parser.parse_args()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    lines = args.work_dir / 'records.jsonl'
    done = lines.read_text().splitlines() if lines.exists() else []
    known = [json.loads(line) for line in done]
    for job in jobs(args.study, args.pair):
        if any(asdict(job).items() <= line.items() for line in known):
            continue
        line = json.dumps(train(job, args))
        with lines.open('a') as file:
            file.write(f'{line}\n')
        print(line, file=sys.stderr, flush=True)


if __name__ == '__main__':
    main()
