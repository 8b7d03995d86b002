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
from pathlib import Path

from mmkd.cli.command_line import positive
from mmkd.cli.console import console
from mmkd.cli.parser import command_parser
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


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument('--task', choices=TASKS, default='segmentation')
    parser.add_argument('--out', type=Path, metavar='DIR', help='folder for all runs')
    parser.add_argument('--seeds', type=positive, default=3, help='number of seeds (3)')
    parser.add_argument(
        '--jobs',
        type=positive,
        default=min(4, len(os.sched_getaffinity(0))),
        help='parallel trainings; one per CPU core, up to four',
    )
    args = parser.parse_args()
    args.out = args.out or Path('work_dirs/demo', args.task)
    return args


@console()
def main() -> None:
    """Write the images, compare, and draw the picture."""
    args = parse_args()
    task, pair = TASKS[args.task], f'mmkd::demo/{args.task}/pair.py'
    task.write(Path(load_config(pair).data_root))
    options = [pair, '--method', *METHODS, '--seeds', str(args.seeds)]
    options += ['--train-teacher', '--jobs', str(args.jobs), '--out', str(args.out)]
    print(f'$ mmkd compare {shlex.join(options)}', flush=True)
    compare = [sys.executable, os.path.relpath(TOOLS / 'compare.py'), *options]
    done = subprocess.run(compare, check=False)
    if done.returncode:
        sys.exit(done.returncode)
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
