"""Train a student alone and with methods, all else equal, and report their gains.

Example:
    mmkd compare deeplabv3_r18_cityscapes --method none kd dhkd --out work_dirs/compare

Unknown options, such as --amp, are passed on to ``mmkd train``.
"""

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from mmkd.cli.comparison import check, comparison_of, parse_args
from mmkd.cli.console import ending_in_words
from mmkd.compare.comparison import RECORD, TEACHER, Comparison
from mmkd.compare.held_back import hold_back
from mmkd.compare.outcome import (
    BEST,
    direction,
    label_of,
    markdown,
    read_done,
    rows_of,
    table,
    verdicts,
    write_best,
)
from mmkd.compare.ranges import Settings, read_ranges
from mmkd.compare.saved import LINE, LINES
from mmkd.compare.stages import Stages
from mmkd.compare.timing import durations, lasting, teachers_duration
from mmkd.compare.tuning import FOLDER, Tuning, write_choices
from mmkd.report.page import render, write
from mmkd.runs.run import last_checkpoint
from mmkd.runs.training import Training
from mmkd.runs.trainings import in_hours

TOOLS = Path(__file__).resolve().parent


def with_teacher(
    wanted: Comparison, before: Sequence[Training], stages: Stages
) -> Comparison | None:
    """The comparison with the teacher that is trained for it, if one is.

    Returns:
        None if that has yet to be done, but must not be now.
    """
    for training in before:
        if not stages.run([training]):
            return None
        wanted = taught(wanted, training.work_dir)
    return wanted


def taught(wanted: Comparison, folder: Path) -> Comparison:
    """The comparison with the teacher of a training."""
    teaching = ['--teacher', str(teachers_file(folder)), *wanted.teaching]
    return replace(wanted, teaching=teaching)


def teachers_file(folder: Path) -> Path:
    """The last checkpoint of the teacher's training, or the best if only that is kept.

    Raises:
        ValueError: If none was saved.
    """
    files = [last_checkpoint(folder), *sorted(folder.glob('best_*.pth'))]
    saved = [file for file in files if file is not None]
    if not saved:
        raise ValueError(
            f'--train-teacher: the training in {folder} has left no checkpoint: its '
            'default_hooks.checkpoint keeps none. Change that, or give --teacher.'
        )
    # What is gone is missed by those that need it.
    return next(filter(Path.is_file, saved), saved[0])


def with_record(wanted: Comparison, stages: Stages) -> Comparison | None:
    """The comparison with a record of the teacher; None as for the teacher."""
    folder = wanted.out / RECORD
    if not stages.run([wanted.recording(folder)]):
        return None
    return replace(wanted, recorded=folder)


def threads_of(args: argparse.Namespace) -> int | None:
    """The number of threads of each training; None for PyTorch's own choice."""
    return 1 if args.jobs > 1 else None


def estimate(
    wanted: Comparison, args: argparse.Namespace, untaught: bool = False
) -> None:
    """Print how long the trainings that are left take, by method and all together.

    Args:
        wanted: The comparison.
        args: Its options.
        untaught: Whether the teacher has yet to be trained.
    """
    tries: Mapping[str, Sequence[Settings]] = {}
    if args.tune:
        tries = Tuning(wanted, args.out, read_ranges(args.tune)).settings
    total = 0.0
    if untaught:
        total, folder = teachers_duration(wanted)
        print(f'{TEACHER}: {total:.1f} min', flush=True)
        # What it has learned in so few steps is no reason to refuse it.
        options = [*wanted.options, '--no-teacher-check']
        wanted = replace(taught(wanted, folder), options=options)
    left = Counter(each.name for each in wanted.trainings() if not each.has_finished)
    rest = replace(wanted, methods=list(left))
    equal = ((method, args.minutes) for method in left)
    for method, minutes in equal if args.minutes else durations(rest, threads_of(args)):
        count = left[method] + len(tries.get(method, ()))
        total += count * minutes / args.jobs
        print(f'{label_of(method)}: {count} trainings of {minutes:.1f} min', flush=True)
    if total:
        print(f'in all {in_hours(total)}, plus start-ups and validations', flush=True)


def tuned(
    wanted: Comparison, stages: Stages, args: argparse.Namespace
) -> tuple[Comparison, list[str]] | None:
    """The comparison with the chosen settings, and sentences about the choice.

    Returns:
        None if the trainings to choose from have yet to be run, but must not be now.
    """
    pair = args.out / FOLDER / 'pair.py'
    held_back = hold_back(args.pair, pair, args.data_root, wanted.changed)
    tuning = Tuning(wanted, pair, read_ranges(args.tune))
    if args.record:
        recorded = with_record(replace(tuning.wanted, recorded=None), stages)
        if recorded is None:
            return None
        tuning.wanted = recorded
    # A learning rate with which it diverges is not chosen.
    if not stages.run(tuning.trainings(), may_diverge=True):
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
    done = read_done(each for each in trainings if (each.work_dir / LINE).exists())
    if all(each.name == TEACHER for each, _ in done):
        return
    words = [*verdicts(rows_of(done, args.out)), *direction(done), *words]
    text = markdown(done, args.out).lstrip() + '\n'.join(words)
    (args.out / 'table.md').write_text(text + '\n')
    best = write_best(done, args.out)
    # A file or a pipe has no width to cut columns for.
    Console(width=None if sys.stdout.isatty() else 1000).print(table(done, args.out))
    print('\n'.join(words))
    print(f'{args.out}: table.md, {LINES}, and {BEST}, the config of {best}')
    compared = [run for each, run in done if each.name != TEACHER]
    page = args.out / 'report.html'
    # Last, since it may take minutes.
    print(f'Running every student on validation images, for {page}', flush=True)
    write(render(compared), page)


def compare(wanted: Comparison, stages: Stages, args: argparse.Namespace) -> None:
    """Train what can be trained now, and report once all of it is done."""
    before = [wanted.teachers_training()] if args.train_teacher else []
    live = with_teacher(wanted, before, stages)
    ready = with_record(live, stages) if live and args.record else live
    if args.estimate:
        estimate(ready or live or wanted, args, untaught=live is None)
        return
    if ready is None:
        return
    if args.minutes is not None:
        lengths = lasting(ready, args.minutes, threads_of(args))
        ready = replace(ready, lengths=lengths)
        if args.only is None:
            estimate(ready, args)
    words: list[str] = []
    if args.tune:
        choice = tuned(ready, stages, args)
        if choice is None:
            return
        ready, words = choice
    trainings = ready.trainings()
    try:
        stages.run(trainings)
    except RuntimeError:
        if args.only is None:
            report([*before, *trainings], words, args)
        raise
    if args.only is None and not args.plan:
        report([*before, *trainings], words, args)


def main(given: Sequence[str]) -> None:
    """Check everything that can be, then compare."""
    args, options = parse_args(given, __doc__)
    wanted = comparison_of(args, options, TOOLS)
    modes = args.only, args.plan, args.estimate
    stages = Stages(args.out, args.method, args.jobs, *modes)
    with redirect_stdout(sys.stderr if args.plan else sys.stdout):
        check(wanted, args)
        stages.settings = wanted.config_of(args.method[0])
        compare(wanted, stages, args)
    stages.check()
    rest = [each for each in given if each != '--plan']
    for name in stages.planned:
        print(shlex.join([sys.executable, __file__, *rest, '--only', name]))


if __name__ == '__main__':
    with ending_in_words(RuntimeError, resume='Run the same command to go on.'):
        main(sys.argv[1:])
