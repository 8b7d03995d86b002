"""Trainings that show what recording does to accuracy and to time.

Each study is a list of trainings, one after another, with a line of JSON for each that
has ended; what has its line is not run again. docs/performance.md and docs/results.md
have what came of them.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.commands import ROOT, TRAIN, run
from mmkd.runs import read_run

RECORD = str(ROOT / 'tools' / 'record.py')
IMAGES = 'resnet20_resnet8_tin100'
ALONE = [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]
LIVE = 'live'
CONFIG = """
_base_ = 'mmkd::_base_/pairs/{}.py'
data_preprocessor = dict(
    type='mmkd.CropFlipDataPreprocessor', padding=4, flip_prob=0.5)
train_dataloader = dict(
    dataset=dict(in_memory=True, pipeline=[dict(type='PackInputs')]))
"""
"""The pair with its images held decoded, so that reading them takes no part."""


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        study: What it is for.
        pair: The pair.
        method: Of the pair.
        teacher: ``'live'``, or the dtype of a record.
        views: Of each sample; None for a new one at each visit.
        seed: Of the training.
        epochs: How long it is.
    """

    study: str
    pair: str
    method: str
    teacher: str
    views: int | None
    seed: int
    epochs: int


def jobs(study: str) -> Iterator[Job]:
    """The trainings of a study, so that each comparison is whole as soon as can be."""
    if study == 'float16':
        for seed in range(8):
            for teacher in (LIVE, 'float16'):
                yield Job(study, IMAGES, 'kd', teacher, 16, seed, 6)
    if study == 'views':
        for seed in range(3):
            for method in ('kd', 'dhkd'):
                for views in (1, 4, 16):
                    yield Job(study, IMAGES, method, 'float16', views, seed, 32)
                yield Job(study, IMAGES, method, LIVE, None, seed, 32)
    if study == 'methods':
        for method in ('kd', 'dhkd', 'dkd', 'dist'):
            for seed in range(3):
                for teacher in (LIVE, 'float16'):
                    yield Job(study, IMAGES, method, teacher, 16, seed, 32)


def schedule(job: Job) -> list[str]:
    """The pair's schedule, stretched to the epochs of a job."""
    milestones = [round(job.epochs * part) for part in (2 / 3, 5 / 6)]
    milestones_text = f'param_scheduler.milestones={milestones}'
    return [f'train_cfg.max_epochs={job.epochs}', milestones_text.replace(' ', '')]


def train(job: Job, args: argparse.Namespace) -> dict[str, object]:
    """Run a training, after its record where there is none yet.

    Returns:
        Its line.
    """
    command = [_config(job, args), '--method', job.method]
    command += ['--data-root', str(args.data_root)]
    command += ['--no-teacher-check']
    if job.teacher == LIVE:
        command += ['--teacher', str(args.teacher)]
        if job.views is not None:
            command += ['--views', str(job.views), '--view-seed', '0']
    else:
        command += ['--recorded', str(_record(job, args))]
    work = args.work_dir / '_'.join(map(str, asdict(job).values()))
    begin, used = time.time(), _processor()
    command += ['--resume', '--work-dir', str(work), '--cfg-options', *ALONE]
    command += [*schedule(job), f'randomness.seed={job.seed}']
    if args.amp:
        command.insert(1, '--amp')
    run([TRAIN, *command, 'train_cfg.val_interval=2'])
    scores = read_run(work).score('accuracy/top1')
    return {
        **asdict(job),
        'last': round(scores[max(scores)], 2),
        'best': round(max(scores.values()), 2),
        'minutes': round((time.time() - begin) / 60, 2),
        'processor_minutes': round((_processor() - used) / 60, 2),
    }


def _record(job: Job, args: argparse.Namespace) -> Path:
    folder = args.work_dir / f'record_{job.pair}_{job.teacher}_{job.views}'
    if not (folder / 'done.json').exists():
        begin = _processor()
        command = [RECORD, _config(job, args), '--method', 'kd', '--no-teacher-check']
        command += ['--data-root', str(args.data_root)]
        command += ['--teacher', str(args.teacher), '--out', str(folder)]
        command += ['--views', str(job.views), '--dtype', job.teacher]
        run([*command, '--cfg-options', *ALONE])
        minutes = round((_processor() - begin) / 60, 2)
        (folder / 'done.json').write_text(json.dumps({'processor_minutes': minutes}))
    return folder


def _config(job: Job, args: argparse.Namespace) -> str:
    file = args.work_dir / f'{job.pair}.py'
    file.write_text(CONFIG.format(job.pair))
    return str(file)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run what is missing of a study."""
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.record_runs', description=__doc__
    )
    parser.add_argument('study', choices=('float16', 'views', 'methods'))
    parser.add_argument('--data-root', type=Path, required=True)
    parser.add_argument('--teacher', type=Path, required=True, help='its checkpoint')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/record_runs'))
    args = parser.parse_args()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    lines = args.work_dir / 'records.jsonl'
    done = lines.read_text().splitlines() if lines.exists() else []
    known = [json.loads(line) for line in done]
    for job in jobs(args.study):
        if any(asdict(job).items() <= line.items() for line in known):
            continue
        line = json.dumps(train(job, args))
        with lines.open('a') as file:
            file.write(f'{line}\n')
        print(line, file=sys.stderr, flush=True)


if __name__ == '__main__':
    main()
