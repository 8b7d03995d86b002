"""Train a student alone and with methods, all else equal, and report their gains.

Example:
    mmkd compare deeplabv3_r18_cityscapes --method none kd dhkd --out work_dirs/compare

Unknown options, such as --amp, are passed on to ``mmkd train``.
"""

import argparse
import math
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from mmkd.cli.command_line import positive
from mmkd.cli.console import ending_in_words
from mmkd.cli.parser import command_parser
from mmkd.compare.comparison import TEACHER, Comparison
from mmkd.compare.held_back import hold_back
from mmkd.compare.length import LENGTHS
from mmkd.compare.outcome import (
    BEST,
    LINES,
    markdown,
    read_done,
    rows_of,
    table,
    verdicts,
    write_best,
    write_lines,
)
from mmkd.compare.ranges import read_ranges
from mmkd.compare.tuning import FOLDER, Tuning, write_choices
from mmkd.report.page import render, write
from mmkd.runs.run import last_checkpoint
from mmkd.runs.training import Training, train_all

TOOLS = Path(__file__).resolve().parent


def parse_args(given: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse the command line, and return the options for ``mmkd train`` too."""
    parser = command_parser(__doc__, allow_abbrev=False)
    parser.add_argument('pair', help='name of a pair, or the config of a distillation')
    parser.add_argument(
        '--method',
        nargs='+',
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
        '--set', nargs='+', metavar='METHOD.SETTING=VALUE', help='change settings'
    )
    parser.add_argument(
        '--tune',
        nargs='+',
        metavar='KEY=VALUE,VALUE',
        help='first choose settings of each method and of the student alone on images '
        'held out from the training set',
    )
    parser.add_argument(
        '--jobs', type=positive, default=1, help='parallel trainings (1)'
    )
    parser.add_argument(
        '--plan', action='store_true', help='print one command per run, do not train'
    )
    parser.add_argument('--only', metavar='RUN', help='train only this run of a plan')
    args, options = parser.parse_known_args(given)
    args.given = list(given)
    if args.minutes is not None and not 0 < args.minutes < math.inf:
        parser.error(f'--minutes must be greater than 0, got {args.minutes:g}.')
    if len(set(args.method)) < len(args.method):
        parser.error(f'--method names a method twice: {" ".join(args.method)}.')
    if args.tune and args.recorded:
        parser.error(
            '--tune trains on a subset of the images, but --recorded is for all: use '
            '--record, which makes both records.'
        )
    return args, options


def comparison_of(args: argparse.Namespace, options: Sequence[str]) -> Comparison:
    """The comparison that the command line asks for."""
    lengths = [(unit, n) for unit in LENGTHS if (n := getattr(args, unit)) is not None]
    teaching = ['--teacher', args.teacher] if args.teacher else []
    return Comparison(
        pair=args.pair,
        methods=args.method,
        seeds=args.seeds,
        out=args.out,
        tools=TOOLS,
        data=['--data-root', args.data_root] if args.data_root else [],
        options=options,
        teaching=teaching + (['--set', *args.set] if args.set else []),
        lengths=dict.fromkeys(args.method, lengths[0]) if lengths else {},
        recorded=args.recorded,
    )


def commit() -> str | None:
    """The commit of the code, if it is a clone."""
    if not (TOOLS.parent / '.git').exists():
        return None  # not the commit of a repository that mmkd is installed in
    command = ['git', '-C', str(TOOLS), 'rev-parse', 'HEAD']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def prepared(wanted: Comparison, args: argparse.Namespace) -> Comparison:
    """The comparison, with the teacher trained or recorded if requested."""
    if args.train_teacher:
        training = wanted.teachers_training()
        first(training, 'a trained teacher', args)
        checkpoint = last_checkpoint(training.work_dir)
        teaching = ['--teacher', str(checkpoint), *wanted.teaching]
        wanted = replace(wanted, teaching=teaching)
    if args.record:
        folder = wanted.out / 'record'
        first(wanted.recording(folder), 'a record of the teacher', args)
        wanted = replace(wanted, recorded=folder)
    return wanted


def first(training: Training, what: str, args: argparse.Namespace) -> None:
    """Run a training that all others need, unless it is done.

    Raises:
        ValueError: If it is not done, but runs are only planned or run one by one.
    """
    if training.is_done:
        return
    if args.plan or args.only is not None:
        raise ValueError(
            f'the runs need {what}, which does not exist yet. Make it first: '
            f'python {shlex.join(training.command)}, or run the command without '
            '--plan.'
        )
    print(f'first: {what}', flush=True)
    training.run()


def trained(trainings: Sequence[Training], args: argparse.Namespace) -> bool:
    """Run the trainings, or print their commands.

    Returns:
        Whether all of them were run, rather than planned or run one by one.
    """
    names = {str(each.work_dir.relative_to(args.out)): each for each in trainings}
    if args.plan:
        rest = [each for each in args.given if each != '--plan']
        for name, each in names.items():
            if not each.is_done:
                print(shlex.join([sys.executable, __file__, *rest, '--only', name]))
    elif args.only is None:
        train_all(trainings, args.jobs)
        return True
    elif args.only not in names:
        raise ValueError(f'--only {args.only}: the runs are {", ".join(names)}.')
    else:
        train_all([names[args.only]], 1)
    return False


def tuned(
    wanted: Comparison, args: argparse.Namespace
) -> tuple[Comparison, list[str]] | None:
    """The comparison with the chosen settings, and sentences about the choice.

    Returns:
        None if the trainings to choose from are only planned or run one by one.
    """
    ranges = read_ranges(args.tune)
    pair = args.out / FOLDER / 'pair.py'
    held_back = hold_back(args.pair, pair, args.data_root)
    tuning = Tuning(wanted, pair, ranges)
    if args.record:
        tuning.wanted = replace(tuning.wanted, recorded=None)
        folder = tuning.wanted.out / 'record'
        first(tuning.wanted.recording(folder), 'a record for the choice', args)
        tuning.wanted = replace(tuning.wanted, recorded=folder)
    trainings = tuning.trainings()
    if not all(each.is_done for each in trainings) and not trained(trainings, args):
        return None
    choices = tuning.choices()
    write_choices(choices, args.out / 'tuned.json')
    chosen = {method: choice.settings for method, choice in choices.items()}
    words = [f'- {choices[method].words(method, held_back)}' for method in choices]
    return replace(wanted, chosen=chosen), words


def report(
    trainings: Sequence[Training], words: Sequence[str], args: argparse.Namespace
) -> None:
    """Write and print the results of the runs that are done."""
    done = read_done(trainings)
    write_lines(done, args.out, commit())
    words = [*verdicts(rows_of(done, args.out)), *words]
    text = markdown(done, args.out).lstrip() + '\n'.join(words)
    (args.out / 'table.md').write_text(text + '\n')
    best = write_best(done, args.out)
    compared = [run for each, run in done if each.name != TEACHER]
    write(render(compared), args.out / 'report.html')
    Console().print(table(done, args.out))
    print('\n'.join(words))
    print(
        f'{args.out}: report.html, table.md, {LINES}, and {BEST}, the config of {best}'
    )


def main(given: Sequence[str]) -> None:
    """Train, and report."""
    args, options = parse_args(given)
    wanted = comparison_of(args, options)
    before = [wanted.teachers_training()] if args.train_teacher else []
    wanted = prepared(wanted, args)
    words: list[str] = []
    if args.minutes is not None:
        wanted = replace(wanted, lengths=wanted.lasting(args.minutes))
    if args.tune:
        choice = tuned(wanted, args)
        if choice is None:
            return
        wanted, words = choice
    trainings = wanted.trainings()
    if trained(trainings, args):
        report([*before, *trainings], words, args)


if __name__ == '__main__':
    with ending_in_words(RuntimeError):
        main(sys.argv[1:])
