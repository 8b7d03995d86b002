"""Train a pair alone and with methods, all else equal, and say what they gain.

Example:
    mmkd compare deeplabv3_r18_cityscapes --method none kd dhkd --out work_dirs/compare

Options that this command does not know are those of ``mmkd train``, as --amp and
--data-root.
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
from mmkd.compare.comparison import Comparison
from mmkd.compare.length import LENGTHS
from mmkd.compare.outcome import (
    BEST,
    LINES,
    markdown,
    read_done,
    rows_of,
    table,
    write_best,
    write_lines,
)
from mmkd.report.page import render, write
from mmkd.runs.training import Training, train_all

TOOLS = Path(__file__).resolve().parent


def parse_args(given: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line, and what of it is for ``mmkd train``."""
    parser = command_parser(__doc__, allow_abbrev=False)
    parser.add_argument('pair', help="a pair's name, or the config of a distillation")
    parser.add_argument(
        '--method',
        nargs='+',
        required=True,
        metavar='NAME',
        help='none for the student alone, kd, dhkd, dhkd+reviewkd, ...',
    )
    parser.add_argument('--seeds', type=positive, default=3, help='how many (3)')
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder of all runs'
    )
    length = parser.add_mutually_exclusive_group()
    for unit in LENGTHS:
        length.add_argument(
            f'--{unit}',
            type=positive,
            metavar='N',
            help=f"{unit} of each run, with schedules stretched; the pair's own",
        )
    length.add_argument(
        '--minutes',
        type=float,
        metavar='M',
        help='as many epochs or iterations of each method as take so long',
    )
    record = parser.add_mutually_exclusive_group()
    record.add_argument('--recorded', type=Path, metavar='DIR', help='a record to read')
    record.add_argument(
        '--record', action='store_true', help='record the teacher first, once for all'
    )
    parser.add_argument('--teacher', metavar='CKPT', help='checkpoint of the teacher')
    parser.add_argument(
        '--set', nargs='+', metavar='METHOD.SETTING=VALUE', help='change methods'
    )
    parser.add_argument(
        '--jobs', type=positive, default=1, help='trainings at a time (1)'
    )
    parser.add_argument(
        '--plan', action='store_true', help='print a command a run, and train nothing'
    )
    parser.add_argument('--only', metavar='METHOD:SEED', help='train this run alone')
    args, options = parser.parse_known_args(given)
    if args.minutes is not None and not 0 < args.minutes < math.inf:
        parser.error(f'--minutes must be above 0, got {args.minutes:g}.')
    if len(set(args.method)) < len(args.method):
        parser.error(f'--method names one twice: {" ".join(args.method)}.')
    return args, options


def comparison_of(args: argparse.Namespace, options: Sequence[str]) -> Comparison:
    """What a command line asks for."""
    lengths = [(unit, n) for unit in LENGTHS if (n := getattr(args, unit)) is not None]
    teaching = ['--teacher', args.teacher] if args.teacher else []
    return Comparison(
        pair=args.pair,
        methods=args.method,
        seeds=args.seeds,
        out=args.out,
        tools=TOOLS,
        options=options,
        teaching=teaching + (['--set', *args.set] if args.set else []),
        lengths=dict.fromkeys(args.method, lengths[0]) if lengths else {},
        recorded=args.recorded,
    )


def commit() -> str | None:
    """The commit of the code, where it is a clone."""
    if not (TOOLS.parent / '.git').exists():
        return None  # and not the commit of a repository that mmkd is installed in
    command = ['git', '-C', str(TOOLS), 'rev-parse', 'HEAD']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def report(trainings: Sequence[Training], args: argparse.Namespace) -> None:
    """Write and print what came of the runs that are done."""
    done = read_done(trainings)
    rows = rows_of(done)
    write_lines(done, rows[0].key, args.out, commit())
    (args.out / 'table.md').write_text(markdown(rows))
    best = write_best(rows, args.out)
    write(render([run for _, run in done]), args.out / 'report.html')
    Console().print(table(rows, args.pair))
    for row in rows:
        print(row.verdict)
    print(
        f'{args.out}: report.html, table.md, {LINES}, and {BEST}, the config of {best}'
    )


def main(given: Sequence[str]) -> None:
    """Train, and report."""
    args, options = parse_args(given)
    wanted = comparison_of(args, options)
    if args.record:
        folder = args.out / 'record'
        recording = wanted.recording(folder)
        if not recording.is_done:
            if args.plan:
                raise ValueError(
                    '--plan: the runs read a record that is not there yet. Make it '
                    f'first: python {shlex.join(recording.command)}'
                )
            print('recording the teacher', flush=True)
            recording.run()
        wanted = replace(wanted, recorded=folder)
    if args.minutes is not None:
        wanted = replace(wanted, lengths=wanted.lasting(args.minutes))
    trainings = wanted.trainings()
    names = {f'{each.name}:{each.seed}': each for each in trainings}
    if args.only is not None and args.only not in names:
        raise ValueError(f'--only {args.only}: the runs are {", ".join(names)}.')
    if args.plan:
        for name in names:
            rest = [each for each in given if each != '--plan']
            print(shlex.join([sys.executable, __file__, *rest, '--only', name]))
    elif args.only is not None:
        train_all([names[args.only]], 1)
    else:
        train_all(trainings, args.jobs)
        report(trainings, args)


if __name__ == '__main__':
    with ending_in_words(RuntimeError):
        main(sys.argv[1:])
