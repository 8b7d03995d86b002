"""Options of ``mmkd compare``, and what can be checked of them."""

import argparse
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd.checks.places import LOADERS
from mmkd.cli import recording, training
from mmkd.cli.command_line import KeyValueWords, positive
from mmkd.cli.experiment import checked
from mmkd.cli.parser import command_parser
from mmkd.compare.comparison import RECORD, Comparison
from mmkd.compare.length import LENGTHS
from mmkd.compare.ranges import Settings, read_ranges
from mmkd.compare.tuning import Tuning
from mmkd.config.experiments import NONE, TOGETHER
from mmkd.models.teachers.loading import check_file
from mmkd.runs.scores import is_direction_known
from mmkd.runs.training import Training


def parse_args(
    given: Sequence[str], text: str | None
) -> tuple[argparse.Namespace, list[str]]:
    """Parse the command line.

    Args:
        given: The command line.
        text: What the program does, for ``--help``.

    Returns:
        The options, and those that are left for ``mmkd train``.
    """
    parser = command_parser(text, allow_abbrev=False)
    parser.add_argument('pair', help='name of a pair, or the config of a distillation')
    parser.add_argument(
        '--method',
        nargs='+',
        action='extend',
        required=True,
        metavar='NAME',
        help='none for the student alone, kd, dhkd, dhkd+reviewkd, ...',
    )
    parser.add_argument('--seeds', type=positive, default=3, help='number of seeds (3)')
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder for all runs'
    )
    length = parser.add_mutually_exclusive_group()
    for unit in LENGTHS:
        length.add_argument(
            f'--{unit}',
            type=positive,
            metavar='N',
            help=f"{unit} of each run, with schedules stretched (the pair's own)",
        )
    length.add_argument(
        '--minutes',
        type=float,
        metavar='M',
        help='train each method for as many epochs or iterations as fit in M minutes',
    )
    record = parser.add_mutually_exclusive_group()
    record.add_argument('--recorded', type=Path, metavar='DIR', help='record to read')
    record.add_argument(
        '--record', action='store_true', help='record the teacher first, for all runs'
    )
    teacher = parser.add_mutually_exclusive_group()
    teacher.add_argument('--teacher', metavar='CKPT', help='checkpoint of the teacher')
    teacher.add_argument(
        '--train-teacher',
        action='store_true',
        help='train the teacher first, with its own config',
    )
    parser.add_argument('--data-root', metavar='DIR', help='folder of the data set')
    parser.add_argument(
        '--set',
        nargs='+',
        default=[],
        action=KeyValueWords,
        metavar='METHOD.SETTING=VALUE',
        help='change settings of methods, for those that have them',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        action=KeyValueWords,
        metavar='KEY=VALUE',
        help='override config keys in all runs, the student alone included',
    )
    parser.add_argument(
        '--tune',
        nargs='+',
        action='extend',
        metavar='KEY=VALUE,VALUE',
        help='first choose settings of each method and of the student alone on images '
        'held out from the training set',
    )
    parser.add_argument(
        '--jobs', type=positive, default=1, help='parallel trainings (1)'
    )
    less = parser.add_mutually_exclusive_group()
    less.add_argument(
        '--estimate',
        action='store_true',
        help='time a few steps of each method and print the hours that all runs take',
    )
    less.add_argument(
        '--plan', action='store_true', help='print one command per run, do not train'
    )
    less.add_argument('--only', metavar='RUN', help='train only this run of a plan')
    args, options = parser.parse_known_args(given)
    if args.minutes is not None and not 0 < args.minutes < math.inf:
        parser.error(f'--minutes must be greater than 0, got {args.minutes:g}.')
    # Whatever the order in which several are joined.
    distinct = {frozenset(method.split(TOGETHER)) for method in args.method}
    if len(distinct) < len(args.method):
        parser.error(f'--method names a method twice: {" ".join(args.method)}.')
    if args.record and args.method == [NONE]:
        parser.error(f'--record: --method {NONE} has no teacher to record.')
    if args.tune and args.recorded:
        parser.error(
            '--tune trains on a subset of the images, but --recorded is for all: use '
            '--record, which makes both records.'
        )
    return args, options


def comparison_of(
    args: argparse.Namespace, options: Sequence[str], tools: Path
) -> Comparison:
    """The comparison that the command line asks for.

    Args:
        args: The options.
        options: Those for ``mmkd train``.
        tools: The folder of the commands.
    """
    lengths = [(unit, n) for unit in LENGTHS if (n := getattr(args, unit)) is not None]
    return Comparison(
        pair=args.pair,
        methods=args.method,
        seeds=args.seeds,
        out=args.out,
        tools=tools,
        data=['--data-root', args.data_root] if args.data_root else [],
        options=options,
        changes=args.cfg_options,
        teaching=['--teacher', args.teacher] if args.teacher else [],
        settings=args.set,
        lengths=dict.fromkeys(args.method, lengths[0]) if lengths else {},
        recorded=args.recorded,
    )


def check(wanted: Comparison, args: argparse.Namespace) -> None:
    """Check what is left to run as its own command would, before anything begins.

    A training that is the only one to run is left to check itself. Teachers and data
    are not needed for a plan, and nothing is for what has finished.

    Args:
        wanted: The comparison.
        args: Its options.

    Raises:
        OSError: If a folder cannot be created, or a teacher's file does not exist.
        SystemExit: If the command of a training or of the recording lacks an option.
        ValueError: If the comparison or a training has an error that can be detected
            before it starts.
    """
    wanted.check()
    tries: Mapping[str, Sequence[Settings]] = {}
    if args.tune:
        tries = Tuning(wanted, args.out, read_ranges(args.tune)).settings
    if args.only is not None:
        return
    # Images can only be held out of data that is there.
    data = bool(args.tune or not args.plan)
    unfinished = {each.name for each in wanted.trainings() if not each.has_finished}
    if unfinished and not is_direction_known(wanted.config_of(wanted.methods[0])):
        print_log(
            'the scores of val_evaluator are not known beforehand. If lower is better, '
            'and the name does not say so, set default_hooks.checkpoint.save_best=NAME '
            'and default_hooks.checkpoint.rule=less now: later, all would be repeated.',
            'current',
            logging.WARNING,
        )
    for method in wanted.methods:
        for settings in tries.get(method, [{}]) if method in unfinished else ():
            each = wanted.training(method, 0, args.out / method, settings)
            cfg = _checked(each, training, data=data)
            _check_own(each, cfg)
            if not (args.plan or args.train_teacher):
                _check_teacher(cfg)
    if unfinished and args.train_teacher:
        _checked(wanted.teachers_training(), training, data=data)
    if unfinished and args.record:
        record = wanted.recording(args.out / RECORD)
        _checked(record, recording, recording.LOADERS, data=data)


def _checked(
    each: Training,
    command: ModuleType,
    loaders: Sequence[str] = LOADERS,
    data: bool = True,
) -> Config:
    _, *options = each.command
    try:
        cfg = command.merged_config(command.parse_args(options))
        return checked(cfg, loaders, data)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _check_own(each: Training, cfg: Config) -> None:
    own = dict(work_dir=str(each.work_dir), resume='auto')
    for key, value in own.items():
        if cfg.get(key) != value:
            raise ValueError(
                f'--{key.replace("_", "-")}: the comparison sets that itself.'
            )


def _check_teacher(cfg: Config) -> None:
    teacher: Mapping[str, Any] = cfg.model.get('teacher') or {}
    if 'record' not in teacher and isinstance(teacher.get('checkpoint'), str):
        check_file(teacher['checkpoint'])
