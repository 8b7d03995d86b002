"""What the commands in tools/ share."""

import argparse
import os
from pathlib import Path
from typing import Literal

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmkd.engine import join_processes, leave_processes


def parse_with_common_options(
    parser: argparse.ArgumentParser, example: str
) -> argparse.Namespace:
    """Read the command line, with the options that every command knows.

    Args:
        parser: Knows the command's own options.
        example: An override that is useful to the command, as ``key=value``.
    """
    parser.add_argument('--data-root', metavar='DIR', help='folder of the data set')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help=f'override config keys, as {example}',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def set_work_dir(cfg: Config, args: argparse.Namespace) -> None:
    """Choose the work directory: the asked one, the config's, or one by its name.

    Methods that the command line names are part of the name.
    """
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        parts = [Path(args.config).stem, '+'.join(getattr(args, 'method', None) or [])]
        cfg.work_dir = str(Path('work_dirs', '_'.join(filter(None, parts))))


def launch(cfg: Config, task: Literal['train', 'test']) -> None:
    """Run a config in this process, which may be one of several."""
    join_processes(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    getattr(runner, task)()
    del runner
    leave_processes()
