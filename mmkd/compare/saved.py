"""The result lines of a comparison: one in the folder of each run, all in one file."""

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmkd
from mmkd.compare.comparison import TEACHER
from mmkd.compare.lines import LESS
from mmkd.report.groups import finite, score_key
from mmkd.report.seen.networks import student_of
from mmkd.resilience.files import whole_or_nothing
from mmkd.runs import Run, read_run
from mmkd.runs.scores import rule_of
from mmkd.runs.training import Training
from mmkd.versions import versions

LINE = 'line.json'
LINES = 'runs.jsonl'
CLONE = Path(mmkd.__file__).parents[1]


def save_line(
    training: Training, settings: Mapping[str, Any] | None = None
) -> None:
    """Save the result line of a finished run in its folder, unless it is there.

    Args:
        training: The training.
        settings: The config that names the score, and says which is better; None for
            that of the run.

    Raises:
        FloatingPointError: If its last score is not finite.
        ValueError: If it has not logged a score.
    """
    file = training.work_dir / LINE
    if file.exists():
        return
    run = read_run(training.work_dir)
    settings = run.settings if settings is None else settings
    key = score_key([run], settings)
    if key is None and training.name == TEACHER:
        return  # nothing is compared with it
    if key is None:
        raise ValueError(f'{run.folder} has not logged a score.')
    less = rule_of(key, settings) == 'less'
    if not math.isfinite(score := last(run, key)):
        raise FloatingPointError(
            f'{run.folder}: its last {key} is {score}, which cannot be compared.'
        )
    with whole_or_nothing(file) as partial:
        found = line(training, run, key, less)
        partial.write_text(json.dumps(found, ensure_ascii=False))


def gather_lines(out: Path, methods: Sequence[str]) -> None:
    """Write the lines of all finished runs of a comparison to one file.

    Args:
        out: Its folder.
        methods: The order of the methods; others follow.
    """
    order = {name: place for place, name in enumerate([TEACHER, *methods])}
    found = [json.loads(file.read_text()) for file in out.glob(f'*/{LINE}')]
    found.sort(key=lambda each: (each['seed'], order.get(each['method'], len(order))))
    out.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(out / LINES) as partial:
        partial.write_text(
            ''.join(f'{json.dumps(each, ensure_ascii=False)}\n' for each in found)
        )


def last(run: Run, key: str) -> float:
    """The last score of a run.

    Raises:
        ValueError: If it has none.
    """
    found = run.last(key)
    if found is None:
        raise ValueError(f'{run.folder} has not logged {key}.')
    return found


def line(
    training: Training, run: Run, key: str, less_is_better: bool = False
) -> dict[str, Any]:
    """The result line of a finished run.

    Args:
        training: The training.
        run: Its run.
        key: The score.
        less_is_better: Whether a lower score is better.
    """
    scores = finite(run.score(key)).values()
    return dict(
        method=training.name,
        settings=settings_of(training.command),
        seed=training.seed,
        score=key,
        last=round(last(run, key), 4),
        best=round((min if less_is_better else max)(scores), 4),
        **(dict(better=LESS) if less_is_better else {}),
        minutes=run.minutes and round(run.minutes, 2),
        step_ms=run.step_ms and round(run.step_ms, 1),
        parameters=_parameters(run),
        iterations=run.iterations,
        command=['tools/train.py', *training.command[1:]],
        versions=versions(),
        commit=_commit(),
    )


def settings_of(command: Sequence[str]) -> list[str]:
    """The settings of a training's command that are not the pair's, but for its seed.

    Args:
        command: Its words.
    """
    found, option = [], ''
    for word in command:
        if word.startswith('--'):
            option = word
        elif option in ('--set', '--cfg-options'):
            found.append(word)
    return [word for word in found if not word.startswith('randomness.seed=')]


def _parameters(run: Run) -> int | None:
    """The parameter count of its student; None if that cannot be built."""
    try:
        model = student_of(run).model
    except Exception:
        # Building a model or loading its checkpoint may raise anything.
        return None
    return sum(parameter.numel() for parameter in model.parameters())


def _commit() -> str | None:
    """The commit of the code, marked if files have changed since; None if no clone."""
    if not (CLONE / '.git').exists():
        return None  # not the commit of a repository that mmkd is installed in
    command = ['git', '-C', str(CLONE), 'describe', '--always', '--dirty']
    command += ['--abbrev=40', '--exclude=*']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
