"""Test a student: the checkpoint of a distillation or of a plain training."""

import argparse

from mmengine.config import Config

from mmkd.command_line import launched, parse_with_common_options, set_work_dir
from mmkd.config import (
    check_data,
    deploy_student,
    name_corrupt_files,
    set_data_root,
)
from mmkd.setup import setup


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, of a distillation or a student')
    parser.add_argument('checkpoint', help='checkpoint of the student')
    parser.add_argument('--work-dir', help='folder for logs')
    return parse_with_common_options(parser, 'test_dataloader.batch_size=4')


def load_config(args: argparse.Namespace) -> Config:
    """Merge the command line into the config and reduce it to the student."""
    setup()
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.data_root:
        set_data_root(cfg, args.data_root)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    deploy_student(cfg)
    name_corrupt_files(cfg)
    cfg.load_from = args.checkpoint
    set_work_dir(cfg, args)
    return cfg


def main() -> None:
    """Build the runner and test."""
    cfg = load_config(parse_args())
    check_data(cfg)
    with launched(cfg) as runner:
        runner.test()


if __name__ == '__main__':
    main()
