"""Compare methods without downloads, on drawn scenes or scikit-learn's digits.

This runs ``mmkd compare`` on a pair in configs/demo, and draws the predictions.

Example:
    mmkd demo --task classification
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mmkd.cli.command_line import positive
from mmkd.cli.console import console
from mmkd.cli.parser import command_parser
from mmkd.compare.comparison import TEACHER
from mmkd.compare.line_files import Line, read_lines
from mmkd.compare.saved import LINES
from mmkd.config.experiments import load_config
from mmkd.runs import read_run
from mmkd_demo.folders import save_image
from mmkd_demo.networks import ask
from mmkd_demo.report import captioned_grid
from mmkd_demo.tasks import TASKS

TOOLS = Path(__file__).parent
METHODS = {
    'none': 'student alone',
    'kd': 'with KD',
    'dhkd': 'with DHKD',
    'mhkd': 'with MHKD',
}
MINUTES = 6
SEEDS = 3
"""So many seeds at most, in so many minutes, if no number of them is asked for."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument('--task', choices=TASKS, default='segmentation')
    parser.add_argument('--out', type=Path, metavar='DIR', help='folder for all runs')
    parser.add_argument(
        '--seeds',
        type=positive,
        help=f'number of seeds; up to {SEEDS} that fit in {MINUTES} minutes',
    )
    parser.add_argument(
        '--jobs',
        type=positive,
        default=min(4, len(os.sched_getaffinity(0))),
        help='parallel trainings; one per CPU core, up to four',
    )
    args = parser.parse_args()
    args.out = args.out or Path('work_dirs/demo', args.task)
    return args


def further_seeds(lines: Sequence[Line], minutes: float, jobs: int) -> int:
    """How many seeds fit into the minutes, beside the first, up to all.

    Args:
        lines: Results with the minutes of the first seed's trainings.
        minutes: What is left of the time.
        jobs: Number of trainings that run at the same time.
    """
    first = [each for each in lines if each['seed'] == 0 and each['method'] != TEACHER]
    one = sum(each['minutes'] for each in first) / jobs
    return min(SEEDS - 1, max(0, int(minutes / one)))


def compare(pair: str, seeds: int, args: argparse.Namespace) -> None:
    """Compare the methods; ends with the exit status of a comparison that fails."""
    options = [pair, '--method', *METHODS, '--seeds', str(seeds)]
    options += ['--train-teacher', '--jobs', str(args.jobs), '--out', str(args.out)]
    print(f'$ mmkd compare {shlex.join(options)}', flush=True)
    command = [sys.executable, os.path.relpath(TOOLS / 'compare.py'), *options]
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(done.returncode)


@console()
def main() -> None:
    """Write the images, compare, and draw the picture."""
    args = parse_args()
    task, pair = TASKS[args.task], f'mmkd::demo/{args.task}/pair.py'
    task.write(Path(load_config(pair).data_root))
    started = time.monotonic()
    compare(pair, args.seeds or 1, args)
    if args.seeds is None:
        left = MINUTES - (time.monotonic() - started) / 60
        more = further_seeds(read_lines(args.out / LINES), left, args.jobs)
        if more:
            compare(pair, 1 + more, args)
        if 1 + more < SEEDS:
            print(f'No time for more seeds; --seeds {SEEDS} adds them.')
    folders = {'teacher': 'teacher'}
    folders |= {name: f'{method}_seed0' for method, name in METHODS.items()}
    networks = [
        ask(name, read_run(args.out / folder), task.asked)
        for name, folder in folders.items()
    ]
    captions = ['image', 'ground truth', *folders]
    picture = args.out / 'picture.png'
    save_image(picture, captioned_grid(task.rows(networks), captions))
    print(f'{picture}: {task.shown}')


if __name__ == '__main__':
    main()
