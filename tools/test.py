"""Test a student from a checkpoint of a distillation or a plain training.

Example:
    mmkd test work_dirs/run/student.py work_dirs/run/student.pth
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from torch.distributed.elastic.multiprocessing.errors import record

from mmkd.checks import check_config
from mmkd.cli.command_line import (
    launch,
    parse_with_common_options,
    set_work_dir,
    take_common_options,
)
from mmkd.cli.console import console
from mmkd.cli.evaluation import (
    average_augmentations,
    draw_predictions,
    save_predictions,
)
from mmkd.cli.lasting import lasting
from mmkd.cli.parser import command_parser
from mmkd.config.changes import check_data, drop_unwanted_hooks
from mmkd.config.experiments import drop_parts, load_config
from mmkd.models.deploy import drop_distillation
from mmkd.resilience.resume import LAST


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument('config', help='config file of a distillation or a student')
    parser.add_argument('checkpoint', help='checkpoint of the student')
    parser.add_argument('--work-dir', help='folder for logs')
    parser.add_argument(
        '--out',
        metavar='PLACE',
        help='save predictions: a folder for label maps, a .pkl file for class scores',
    )
    parser.add_argument('--show-dir', metavar='DIR', help='draw predictions to DIR')
    parser.add_argument(
        '--tta', action='store_true', help='average over augmentations of each image'
    )
    return parse_with_common_options(parser, 'test_dataloader.batch_size=4')


def merged_config(args: argparse.Namespace) -> Config:
    """Merge the command line into the config and reduce it to the student."""
    cfg = load_config(args.config)
    take_common_options(cfg, args)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    drop_distillation(cfg)
    drop_parts(cfg)
    if args.tta:
        average_augmentations(cfg)
    if args.out:
        save_predictions(cfg, args.out)
    if args.show_dir:
        draw_predictions(cfg, args.show_dir)
    guard = dict(type='mmkd.TrainingGuardHook')
    cfg.setdefault('default_hooks', {}).setdefault('guard', guard)
    drop_unwanted_hooks(cfg)
    cfg.load_from = args.checkpoint
    # The dumped config of a resumed training has resume=True.
    cfg.resume = False
    set_work_dir(cfg, args)
    if args.work_dir is None or Path(cfg.work_dir, LAST).exists():
        # The folder holds the record of a training.
        cfg.work_dir = str(Path(cfg.work_dir, 'test'))
    return cfg


@record
def main() -> None:
    """Build the runner and test."""
    with console():
        with lasting():
            cfg = merged_config(parse_args())
            check_config(cfg)
            check_data(cfg, ['test_dataloader'])
        launch(cfg, 'test')


if __name__ == '__main__':
    main()
