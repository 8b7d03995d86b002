"""What the commands that begin with a distillation share."""

import argparse

from mmengine.config import Config

from mmkd.cli.command_line import KeyValues, take_common_options
from mmkd.config.experiments import drop_parts, load_config, set_methods, set_values


def add_experiment_options(parser: argparse.ArgumentParser) -> None:
    """Add what names an experiment: config, methods, their settings, the teacher.

    Args:
        parser: The command's.
    """
    parser.add_argument(
        'config', help='config file, or the name of a pair in configs/_base_/pairs'
    )
    parser.add_argument(
        '--method',
        nargs='+',
        metavar='NAME',
        help='methods of configs/_base_/methods in place of those of the config; '
        'none for the student alone',
    )
    parser.add_argument(
        '--set',
        nargs='+',
        action=KeyValues,
        metavar='METHOD.SETTING=VALUE',
        help='change methods, as dual_head.weight=0.5',
    )
    parser.add_argument('--teacher', metavar='CKPT', help='checkpoint of the teacher')
    parser.add_argument(
        '--no-teacher-check',
        action='store_true',
        help='do not evaluate the teacher before the training',
    )


def experiment_of(args: argparse.Namespace) -> Config:
    """Read the experiment that a command line names, before its own changes.

    Args:
        args: With the options of :func:`add_experiment_options` and the common ones.
    """
    cfg = load_config(args.config)
    if args.method:
        set_methods(cfg, args.method)
    if args.set:
        set_values(cfg, args.set)
    drop_parts(cfg)
    take_common_options(cfg, args)
    return cfg
