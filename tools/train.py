"""Train a student, with or without a teacher."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmkd.config import (
    check_data,
    enable_amp,
    protect_training,
    set_data_root,
    set_teacher,
)
from mmkd.engine import join_processes, name_lost_process
from mmkd.resume import choose_checkpoint


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument('--data-root', metavar='DIR', help='folder of the data set')
    parser.add_argument('--teacher', metavar='CKPT', help='checkpoint of the teacher')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from a checkpoint; without a value from the newest in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override config keys, as optim_wrapper.optimizer.lr=0.02',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Merge the command line into the config; ``--cfg-options`` wins."""
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.data_root:
        set_data_root(cfg, args.data_root)
    if args.teacher:
        set_teacher(cfg, args.teacher)
    if args.amp:
        enable_amp(cfg)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    protect_training(cfg)
    return cfg


def main() -> None:
    """Build the runner and train."""
    cfg = load_config(parse_args())
    check_data(cfg)
    choose_checkpoint(cfg)
    join_processes(cfg)
    with name_lost_process():
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.train()


if __name__ == '__main__':
    main()
