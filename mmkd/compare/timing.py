"""How long the trainings of a comparison take, from a few timed steps of each."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.logging import print_log

from mmkd.compare.comparison import TEACHER, Comparison
from mmkd.compare.length import LENGTHS, unit_of
from mmkd.compare.trial import SOON, minutes_of_one
from mmkd.resilience.files import whole_or_nothing
from mmkd.runs.training import Training

SAVED = 'lengths.json'
TRIALS = 'trials'
TURNS = range(3, 10)
"""So many trials of each method, until another turn makes none of them faster."""

FASTER = 0.95
"""The fraction of a method's time that a faster trial takes at most."""

FAR = 0.1
"""The fraction of the wanted minutes from which a deviation is worth a warning."""


def lasting(
    wanted: Comparison, minutes: float, threads: int | None = None
) -> dict[str, tuple[str, int]]:
    """The length of each method's training for equal minutes, from timed trials.

    A method's speed is that of its fastest trial, since other programs only slow one
    down. The length is rounded to whole epochs where the pair counts in those.
    The lengths are saved in the folder: a second call returns the same ones.

    Args:
        wanted: The comparison.
        minutes: Minutes per training.
        threads: Number of PyTorch's threads; None does not change it.

    Raises:
        RuntimeError: If a trial fails.
        ValueError: If the folder's lengths are for other minutes or settings, or an
            epoch takes more than twice the minutes.
    """
    path = wanted.out / SAVED
    known = json.loads(path.read_text()) if path.exists() else {}
    if known.setdefault('minutes', minutes) != minutes:
        raise ValueError(
            f'{path} has lengths for {known["minutes"]:g} minutes, not for '
            f'{minutes:g}: choose another folder.'
        )
    unit = _unit(wanted)
    lengths, trials = known.setdefault(unit, {}), known.setdefault('trials', {})
    missing = {}
    for method in wanted.methods:
        trial = _trial(wanted, method)
        changed = trial.told(trials.setdefault(method, trial.identity))
        if changed:
            raise ValueError(
                f'{path} has the length of {method} for another command or config: '
                f'{changed}. Choose another folder.'
            )
        if method not in lengths:
            missing[method] = trial
    fastest = _fastest(missing, unit, threads) if missing else {}
    for method, one in fastest.items():
        lengths[method] = _whole(minutes, one, unit, method)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as partial:
            partial.write_text(json.dumps(known, indent=1))
    return {method: (unit, lengths[method]) for method in wanted.methods}


def _fastest(
    trials: Mapping[str, Training], unit: str, threads: int | None
) -> dict[str, float]:
    """The minutes of an epoch or iteration in the fastest trial of each method.

    Methods take turns: a machine that is slower for a while would otherwise shorten the
    trainings of one of them. Where it may still have been, all take another turn.
    """
    fastest = dict.fromkeys(trials, math.inf)
    for turn in range(max(TURNS)):
        order = [*trials][:: -1 if turn % 2 else 1]
        found = {each: minutes_of_one(trials[each], unit, threads) for each in order}
        faster = any(found[each] < FASTER * fastest[each] for each in trials)
        fastest = {each: min(found[each], fastest[each]) for each in trials}
        times = ', '.join(f'{each} {found[each]:.2g}' for each in trials)
        print_log(
            f'Trials, turn {turn + 1}: minutes per {_singular(unit)}: {times}',
            'current',
        )
        if turn + 1 in TURNS and not faster:
            break
    return fastest


def durations(
    wanted: Comparison, threads: int | None = None
) -> Iterator[tuple[str, float]]:
    """Each method, and how many minutes its training takes, from a timed trial.

    Start-up and validation do not count.

    Args:
        wanted: The comparison.
        threads: See :func:`lasting`.

    Raises:
        RuntimeError: If a trial fails.
    """
    unit = _unit(wanted)
    for method in wanted.methods:
        own = wanted.config_of(method).train_cfg[LENGTHS[unit]]
        _, length = wanted.lengths.get(method, (unit, own))
        yield method, length * minutes_of_one(_trial(wanted, method), unit, threads)


def teachers_duration(wanted: Comparison) -> tuple[float, Path]:
    """How many minutes the teacher's training takes, from a timed trial.

    It runs by itself, with PyTorch's own number of threads.

    Args:
        wanted: The comparison.

    Returns:
        The minutes, and the folder of the trial, which holds a checkpoint.

    Raises:
        RuntimeError: If the trial fails.
        ValueError: If the pair names no training config for the teacher.
    """
    trial = wanted.teachers_training(wanted.out / TRIALS / TEACHER, SOON)
    train_cfg = trial.facts['config']['train_cfg']
    unit = unit_of(train_cfg)
    one = minutes_of_one(trial, unit, None)
    return train_cfg[LENGTHS[unit]] * one, trial.work_dir


def _unit(wanted: Comparison) -> str:
    return unit_of(wanted.config_of(wanted.methods[0]).train_cfg)


def _trial(wanted: Comparison, method: str) -> Training:
    return wanted.training(method, 0, wanted.out / TRIALS / method, extra=SOON)


def _singular(unit: str) -> str:
    return unit.removesuffix('s')


def _whole(minutes: float, one: float, unit: str, method: str) -> int:
    count = round(minutes / one)
    if not count:
        raise ValueError(
            f'--minutes {minutes:g}: {method} needs {one:.2g} for one of its {unit}. '
            'Give at least that many.'
        )
    if abs(count * one / minutes - 1) > FAR:
        length = f'{count} {unit} take' if count > 1 else f'1 {_singular(unit)} takes'
        print_log(
            f'{method}: {length} {count * one:.1f} minutes, not {minutes:g}. More '
            'minutes make the difference smaller.',
            'current',
        )
    return count
