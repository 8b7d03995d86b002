"""The config of a training, from the command line of ``mmkd train``."""

import argparse
import copy
from collections.abc import Sequence

from mmengine.config import Config

from mmkd.checks import check_shapes
from mmkd.cli.command_line import (
    parse_with_common_options,
    positive,
    seed,
    set_work_dir,
)
from mmkd.cli.experiment import add_experiment_options, experiment_of
from mmkd.cli.parser import command_parser
from mmkd.config.changes import (
    drop_unwanted_hooks,
    enable_amp,
    set_record,
    set_teacher,
)
from mmkd.config.experiments import name_missing_hooks
from mmkd.config.sources import mark_changes, methods_of
from mmkd.config.total_batch import scale_learning_rate
from mmkd.config.views import set_recorded_views, set_views
from mmkd.engine.optim.constructor import keep_methods_apart
from mmkd.models.deploy import settle_preprocessor
from mmkd.resilience import protect


def parse_args(
    given: Sequence[str] | None = None, text: str | None = None
) -> argparse.Namespace:
    """Parse the options of a training.

    Args:
        given: The options; those that the program was started with if None.
        text: What the program does, for ``--help``.
    """
    parser = command_parser(text, prog=None if given is None else 'mmkd train')
    add_experiment_options(parser)
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--recorded', metavar='DIR', help='read the teacher from a record'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='resume from a checkpoint (default: the newest in the work directory)',
    )
    parser.add_argument(
        '--views',
        type=positive,
        metavar='K',
        help='use K views per sample in turn',
    )
    parser.add_argument(
        '--view-seed', type=seed, metavar='S', help="seed of the views (the training's)"
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the total batch size over all processes',
    )
    return parse_with_common_options(parser, 'optim_wrapper.optimizer.lr=0.02', given)


def merged_config(args: argparse.Namespace) -> Config:
    """Merge the options into the config; ``--cfg-options`` wins.

    Args:
        args: The parsed options.

    Raises:
        ValueError: If an option has no effect, or does not fit the config.
    """
    cfg = experiment_of(args)
    if args.teacher:
        set_teacher(cfg, args.teacher)
    if args.recorded:
        set_record(cfg, args.recorded, live=args.teacher is not None)
    if args.amp:
        enable_amp(cfg)
    if args.no_teacher_check:
        cfg.setdefault('default_hooks', {})['check_teacher'] = None
    if args.resume:
        cfg.resume = 'auto' if args.resume == 'auto' else True
        if args.resume != 'auto':
            cfg.load_from = args.resume
    set_work_dir(cfg, args)
    if args.cfg_options:
        before = copy.deepcopy(methods_of(cfg))
        cfg.merge_from_dict(args.cfg_options)
        mark_changes(cfg, before)
        check_shapes(cfg)
    if args.auto_scale_lr:
        scale_learning_rate(cfg)
    settle_preprocessor(cfg, args.cfg_options or ())
    protect(cfg)
    set_views(cfg, args.views, args.view_seed)
    set_recorded_views(cfg)
    name_missing_hooks(cfg)
    drop_unwanted_hooks(cfg)
    keep_methods_apart(cfg)
    return cfg
