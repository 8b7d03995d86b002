"""Train the four settings of Dual-Head KD's Figure 2, and plot the results.

Example:
    mmkd analyse collapse --data digits --work-dir work_dirs/collapse

These are cross-entropy only, BinaryKL only, both on one head, and DHKD, all else equal.
Unknown options, such as --amp, are passed on to ``mmkd train``.
"""

import argparse
from collections.abc import Sequence
from os import cpu_count
from pathlib import Path

import torch
from mmengine.config import Config

from mmkd.analysis.collapse_picture import Runs, draw
from mmkd.analysis.curves import by_validation
from mmkd.analysis.four_settings import SETTINGS, trainings, write_configs
from mmkd.cli.command_line import positive
from mmkd.cli.console import ending_in_words
from mmkd.cli.parser import command_parser
from mmkd.cli.pictures import write
from mmkd.config.experiments import CONFIGS
from mmkd.runs import read_run
from mmkd.runs.scores import SCORES
from mmkd.runs.training import Training
from mmkd.runs.trainings import train_all
from mmkd.spread import spread
from mmkd_demo.digits import write_digits

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'
DIGITS = 'mmkd::demo/classification/{}.py'
DATA = {
    'digits': DIGITS.format('dhkd'),
    'tin100': 'resnet20_resnet8_tin100',
    'cifar100': 'resnet56_resnet20_cifar100',
}


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    """Parse the command line, and return the options for ``mmkd train`` too."""
    # An abbreviation might be an option of ``mmkd train``.
    parser = command_parser(__doc__, allow_abbrev=False)
    parser.add_argument(
        '--data',
        default='digits',
        metavar='NAME',
        help='digits (no download needed), tin100, cifar100, or the config or name of '
        'any pair',
    )
    parser.add_argument('--seeds', type=positive, default=3, help='number of seeds (3)')
    parser.add_argument(
        '--settings', nargs='+', choices=SETTINGS, default=list(SETTINGS)
    )
    parser.add_argument('--weight', type=float, help="method weight, the paper's alpha")
    parser.add_argument('--tau', type=float, help='temperature of the logit-level loss')
    parser.add_argument('--work-dir', type=Path, metavar='DIR')
    parser.add_argument('--out', type=Path, metavar='FILE', help='picture to write')
    parser.add_argument('--title', help="title of the picture (the data's name)")
    parser.add_argument(
        '--jobs',
        type=positive,
        help='parallel trainings (one per CPU; one with a GPU)',
    )
    parser.add_argument('--score', help='log key of the score (accuracy or mIoU)')
    args, options = parser.parse_known_args()
    name = Path(args.data).stem
    args.work_dir = args.work_dir or Path('work_dirs', 'collapse', name)
    args.out = args.out or args.work_dir / 'collapse.png'
    args.jobs = args.jobs or (1 if torch.cuda.is_available() else cpu_count() or 1)
    return args, options


def digits_teacher(work_dir: Path) -> list[str]:
    """Write the digits and train their teacher, unless done already."""
    config = CONFIGS / 'demo' / 'classification' / 'teacher.py'
    cfg = Config.fromfile(config)
    write_digits(Path(cfg.data_root))
    folder = work_dir / 'teacher'
    command = [str(TRAIN), str(config), '--work-dir', str(folder), '--resume']
    command += ['--cfg-options', 'randomness.seed=0']
    Training('teacher', 0, tuple(command), folder).run(threads=1)
    return ['--teacher', str(folder / f'epoch_{cfg.train_cfg.max_epochs}.pth')]


def train_settings(args: argparse.Namespace, options: Sequence[str]) -> list[Training]:
    """Run the trainings that are missing."""
    write_configs(args.work_dir / 'configs', DATA.get(args.data, args.data))
    if args.data == 'digits' and '--teacher' not in options:
        options = [*options, *digits_teacher(args.work_dir)]
    values = {'weight': args.weight, 'loss.tau': args.tau}
    changes = [f'{name}={value}' for name, value in values.items() if value is not None]
    runs = [
        run
        for run in trainings(str(TRAIN), args.work_dir, args.seeds, options, changes)
        if run.name in args.settings
    ]
    train_all(runs, args.jobs, SETTINGS)
    return runs


def score_of(runs: Runs, asked: str | None) -> str:
    """The log key of the score.

    Raises:
        ValueError: If the logs have none of that name.
    """
    logged = next(curves for each in runs.values() for curves in each)
    found = [name for name in ([asked] if asked else SCORES) if name in logged]
    if not found:
        raise ValueError(
            f'no {asked or " or ".join(SCORES)} was logged: --score takes one of '
            f'{", ".join(sorted(logged))}.'
        )
    return found[0]


def last_values(runs: Runs, key: str) -> dict[str, list[float]]:
    """The last value of each training that has logged it."""
    return {
        name: [curves[key][max(curves[key])] for curves in each if key in curves]
        for name, each in runs.items()
    }


def in_words(values: Sequence[float]) -> str:
    """Mean and standard deviation, then each value."""
    if not values:
        return 'not logged'
    each = ' '.join(f'{value:.2f}' for value in values)
    return f'{spread(values, 2)} ({each})'


def main() -> None:
    """Train, read, print, draw."""
    args, options = parse_args()
    done = train_settings(args, options)
    found = [(each.name, read_run(each.work_dir)) for each in done]
    runs = {
        name: [by_validation(run) for setting, run in found if setting == name]
        for name in SETTINGS
    }
    score = score_of(runs, args.score)
    ends = {key: last_values(runs, key) for key in (score, 'cross_entropy')}
    for name in args.settings:
        told = (f'{key} {in_words(values[name])}' for key, values in ends.items())
        print(f'{SETTINGS[name]:22}{"  ".join(told)}')
    seeds = f'{args.seeds} seeds (band: their range)' if args.seeds > 1 else 'one seed'
    title = f'{args.title or Path(args.data).stem}, {seeds}'
    figure = draw(runs, score, title, found[0][1].unit)
    write(figure, args.out, score=score, ends=ends, runs=runs)
    print(f'{args.out} and, next to it, {args.out.with_suffix(".json").name}')


if __name__ == '__main__':
    with ending_in_words(RuntimeError):
        main()
