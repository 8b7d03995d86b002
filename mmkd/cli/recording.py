"""The config of a recording, from the command line of ``mmkd record``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmkd.checks import check_shapes
from mmkd.checks.places import short_name
from mmkd.cli.command_line import (
    KeyValues,
    parse_with_common_options,
    positive,
    seed,
)
from mmkd.cli.experiment import add_experiment_options, experiment_of
from mmkd.cli.parser import command_parser
from mmkd.config.changes import set_teacher
from mmkd.config.views import set_views
from mmkd.models.deploy import settle_preprocessor
from mmkd.records.stored import PRECISIONS
from mmkd.resilience import protect

LOADERS = ('train_dataloader',)
"""The dataloaders that a recording reads."""


def part(text: str) -> tuple[int, int]:
    """Parse ``I/N``."""
    number, _, count = text.partition('/')
    known = number.isdecimal() and count.isdecimal()
    if not known or not 0 < int(number) <= int(count):
        raise argparse.ArgumentTypeError(f'must be I/N with 1 <= I <= N, got {text!r}')
    return int(number), int(count)


def mebibytes(text: str) -> int:
    """Parse a size in MiB, and return it in bytes."""
    try:
        size = int(float(text) * 2**20)
    except (ValueError, OverflowError):
        size = 0
    if size < 1:
        raise argparse.ArgumentTypeError(f'must be a positive size (MiB), got {text!r}')
    return size


def parse_args(
    given: Sequence[str] | None = None, text: str | None = None
) -> argparse.Namespace:
    """Parse the options of a recording.

    Args:
        given: The options; those that the program was started with if None.
        text: What the program does, for ``--help``.
    """
    parser = command_parser(text, prog=None if given is None else 'mmkd record')
    add_experiment_options(parser)
    parser.add_argument(
        '--out', metavar='DIR', required=True, help='folder of the record'
    )
    parser.add_argument(
        '--views',
        type=positive,
        default=16,
        metavar='K',
        help='views per sample (16)',
    )
    parser.add_argument(
        '--view-seed', type=seed, default=0, metavar='S', help='seed of the views (0)'
    )
    parser.add_argument(
        '--dtype', choices=PRECISIONS, default='float16', help='type of stored values'
    )
    parser.add_argument(
        '--reduce',
        nargs='+',
        action=KeyValues,
        default={},
        metavar='TAP=N',
        help='store maps of a tapped module at 1/N of their height and width; the '
        "model's final output is called output",
    )
    parser.add_argument(
        '--live', nargs='+', default=[], metavar='TAP', help='taps not to be recorded'
    )
    parser.add_argument(
        '--limit',
        type=mebibytes,
        default='2',
        metavar='MIB',
        help='maximum size per tap and view (2)',
    )
    parser.add_argument(
        '--part', type=part, default=(1, 1), metavar='I/N', help='record only one share'
    )
    parser.add_argument(
        '--check',
        type=positive,
        metavar='N',
        help='record nothing; print how storage changes the losses of N batches',
    )
    return parse_with_common_options(parser, 'train_dataloader.batch_size=16', given)


def merged_config(args: argparse.Namespace) -> Config:
    """Merge the options into the config; ``--cfg-options`` wins.

    Args:
        args: The parsed options.

    Raises:
        ValueError: If an option has no effect, or does not fit the config.
    """
    cfg = experiment_of(args)
    cfg.work_dir = str(Path(args.out, 'logs'))
    set_teacher(cfg, args.teacher or cfg.model.get('teacher', {}).get('checkpoint'))
    if short_name(cfg.model) == 'Distiller' and cfg.model.get('task_weight') is None:
        # Methods that are trained apart may weigh the task differently.
        cfg.model.task_weight = 1.0
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
        check_shapes(cfg)
    settle_preprocessor(cfg, args.cfg_options or ())
    protect(cfg)
    set_views(cfg, args.views, args.view_seed)
    return cfg
