"""Options shared by the commands that start from a distillation."""

import argparse
from collections.abc import Sequence

from mmengine.config import Config

from mmkd.checks import check_config
from mmkd.checks.places import LOADERS
from mmkd.cli.command_line import KeyValues, take_common_options
from mmkd.config.changes import check_data
from mmkd.config.experiments import drop_parts, load_config, set_methods, set_values


def add_experiment_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for an experiment: config, methods, their settings, teacher.

    Args:
        parser: The command's parser.
    """
    parser.add_argument(
        'config', help='config file, or the name of a pair in configs/_base_/pairs'
    )
    parser.add_argument(
        '--method',
        nargs='+',
        action='extend',
        metavar='NAME',
        help='only these methods, of the config itself or of configs/_base_/methods; '
        'none for the student alone',
    )
    parser.add_argument(
        '--set',
        nargs='+',
        action=KeyValues,
        metavar='METHOD.SETTING=VALUE',
        help='change settings of methods, e.g. dual_head.weight=0.5',
    )
    parser.add_argument('--teacher', metavar='CKPT', help='checkpoint of the teacher')
    parser.add_argument(
        '--no-teacher-check',
        action='store_true',
        help='do not evaluate the teacher before training',
    )


def experiment_of(args: argparse.Namespace) -> Config:
    """Read the experiment given on the command line, before overrides are merged.

    Args:
        args: The options of :func:`add_experiment_options` and the common ones.
    """
    cfg = load_config(args.config)
    if args.method:
        set_methods(cfg, args.method)
    if args.set:
        set_values(cfg, args.set)
    drop_parts(cfg)
    take_common_options(cfg, args)
    return cfg


def checked(
    cfg: Config, loaders: Sequence[str] = LOADERS, data: bool = True
) -> Config:
    """A merged config, after all checks that need no model.

    Args:
        cfg: The config.
        loaders: The dataloaders that will be read.
        data: Whether to look for their data.

    Raises:
        OSError: If a folder cannot be created.
        TypeError: If a value has the wrong type.
        ValueError: If nothing reads a key, a value is out of range, or the folders of
            the data are missing or empty.
    """
    check_config(cfg)
    if data:
        check_data(cfg, loaders)
    return cfg
