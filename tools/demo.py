"""Distil without any download, on images that the program draws or ships.

Example:
    mmkd demo --task classification
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from mmkd.cli.parser import command_parser
from mmkd.config.experiments import load_config
from mmkd_demo.folders import save_image
from mmkd_demo.networks import Network, train_network
from mmkd_demo.report import captioned_grid, score_table
from mmkd_demo.tasks import TASKS

STAGES = {
    'teacher': 'teacher',
    'student': 'student alone',
    'dhkd': 'student with DHKD',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument('--task', choices=TASKS, default='segmentation')
    parser.add_argument(
        '--work-dir', type=Path, help='folder for logs, checkpoints and the picture'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the trainings')
    args = parser.parse_args()
    args.work_dir = args.work_dir or Path('work_dirs/demo', args.task)
    return args


def train_all(args: argparse.Namespace) -> list[Network]:
    """Write the images, then train teacher, student alone and with DHKD."""
    task = TASKS[args.task]
    networks: list[Network] = []
    args.work_dir.mkdir(parents=True, exist_ok=True)
    with (args.work_dir / 'output.txt').open('w') as log:
        for stage, name in STAGES.items():
            begin = time.monotonic()
            cfg = load_config(f'mmkd::demo/{args.task}/{stage}.py')
            cfg.work_dir = str(args.work_dir / stage)
            cfg.randomness = dict(seed=args.seed)
            task.write(Path(cfg.data_root))
            if 'teacher' in cfg.model:
                cfg.model.teacher.checkpoint = networks[0].checkpoint
            network = train_network(name, cfg, task.metric, task.asked, log, sys.stdout)
            networks.append(network)
            seconds = time.monotonic() - begin
            print(f'{name}: {task.score} {network.score:.1f}%, {seconds:.0f} s')
    return networks


def main() -> None:
    """Train the three networks, then report."""
    args = parse_args()
    task = TASKS[args.task]
    networks = train_all(args)
    Console().print(score_table(networks, task.score))
    captions = ['image', 'ground truth', *STAGES.values()]
    picture = args.work_dir / 'picture.png'
    save_image(picture, captioned_grid(task.rows(networks), captions))
    print(f'Picture of {task.shown}: {picture}')


if __name__ == '__main__':
    main()
