"""The outcome of a comparison: a row per method."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import rich.table
from mmengine.config import Config

from mmkd.compare.comparison import TEACHER
from mmkd.compare.lines import Results, Row
from mmkd.compare.saved import LINE, LINES
from mmkd.compare.tables import Table, head_of
from mmkd.config.experiments import NONE
from mmkd.report.groups import score_key
from mmkd.runs import Run, read_run
from mmkd.runs.scalars import LOGS
from mmkd.runs.scores import rule_of
from mmkd.runs.training import Training
from mmkd.spread import number

BEST = 'best.py'
OF_ONE_RUN = ('work_dir', 'resume', 'launcher')
"""Keys of a dumped config that belong to that run."""

ALONE = 'student alone'
COLUMNS = ('seeds', 'mean', 'gain', 'minutes', 'step_ms')

Done = Sequence[tuple[Training, Run]]
"""Completed trainings and their runs."""


def read_done(trainings: Iterable[Training]) -> Done:
    """Read the runs of all completed trainings.

    Args:
        trainings: All trainings to compare.
    """
    return [(each, read_run(each.work_dir)) for each in trainings if each.is_done]


def key_of(done: Done) -> str:
    """The score to compare by.

    Args:
        done: From :func:`read_done`.

    Raises:
        ValueError: If no run has logged one.
    """
    key = score_key(_students(done))
    if key is None:
        raise ValueError('no run has logged a score: the pair has no validation.')
    return key


def _students(done: Done) -> list[Run]:
    """All runs but the teacher's, whose config may name another score."""
    return [run for each, run in done if each.name != TEACHER]


def markdown(done: Done, out: Path) -> str:
    """The table of completed trainings, in Markdown.

    Args:
        done: From :func:`read_done`; their lines must have been saved.
        out: The folder of the comparison.
    """
    rows = _wanted(done)
    baseline = ALONE if ALONE in rows else None
    made = Table(LINES, key_of(done), rows, {}, baseline, COLUMNS, notes=False)
    return made.markdown(_results(done, out))


def table(done: Done, out: Path) -> rich.table.Table:
    """The same for a terminal.

    Args:
        done: From :func:`read_done`; their lines must have been saved.
        out: The folder of the comparison.
    """
    rows = rows_of(done, out)
    baseline = next((row for row in rows if row.label == ALONE), None)
    made = rich.table.Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column('', min_width=max(len(row.label) for row in rows))
    columns = [[row.cell(kind, baseline) for row in rows] for kind in COLUMNS]
    for kind, cells in zip(COLUMNS, columns, strict=True):
        head = head_of(kind, dict(score=key_of(done), baseline=ALONE))
        made.add_column(head, justify='right', min_width=max(map(len, cells)))
    for row, *cells in zip(rows, *columns, strict=True):
        made.add_row(row.label, *cells)
    return made


def rows_of(done: Done, out: Path) -> list[Row]:
    """The rows of the methods.

    Args:
        done: From :func:`read_done`; their lines must have been saved.
        out: The folder of the comparison.
    """
    return list(_results(done, out).rows(LINES, _wanted(done)))


def _results(done: Done, out: Path) -> Results:
    # The folder may have runs of another command as well.
    return Results(out, {LINES: list(map(_line_of, _comparable(done)))})


def _wanted(done: Done) -> dict[str, dict[str, str]]:
    comparable = _comparable(done)
    return {label_of(each.name): dict(method=each.name) for each in comparable}


def _comparable(done: Done) -> list[Training]:
    """All trainings but that of a teacher which logs another score."""
    key = key_of(done)
    return [each for each, _ in done if _line_of(each)['score'] == key]


def _line_of(training: Training) -> dict[str, Any]:
    return dict(json.loads((training.work_dir / LINE).read_text()))


def label_of(method: str) -> str:
    """The label of a method's row."""
    return ALONE if method == NONE else method


def verdicts(rows: Sequence[Row]) -> list[str]:
    """A sentence per row, as Markdown list items.

    Args:
        rows: From :func:`rows_of`.
    """
    alone = next((row for row in rows if row.label == ALONE), None)
    said = []
    for row in rows:
        if row.label in {ALONE, TEACHER}:
            words = number(row.mean, 2)
        elif alone and (gain := row.gain_over(alone)):
            words = gain.verdict
        else:
            why = 'seed in common with the' if alone else 'run of the'
            words = f'{number(row.mean, 2)}, no {why} student alone'
        said.append(f'- {row.label}: {words}')
    return said


def direction(done: Done) -> list[str]:
    """A sentence if nothing tells whether higher scores are better, else nothing.

    Args:
        done: From :func:`read_done`.
    """
    key = key_of(done)
    if any(rule_of(key, run.settings) for run in _students(done)):
        return []
    return [
        f'- higher {key} was taken as better, since neither its name nor the config '
        f'says so; for the opposite, set default_hooks.checkpoint.save_best={key} and '
        'default_hooks.checkpoint.rule=less.'
    ]


def write_best(done: Done, out: Path) -> str:
    """Write the config of the method with the best mean score, to go on with.

    Args:
        done: From :func:`read_done`; their lines must have been saved.
        out: The folder of the comparison.

    Returns:
        The label of its row.
    """
    rows = [row for row in rows_of(done, out) if row.label != TEACHER]
    highest = min if any(row.less_is_better for row in rows) else max
    best = highest(rows, key=lambda row: row.mean).label
    run = next(run for each, run in done if label_of(each.name) == best)
    # Of its first session: a later one begins at a checkpoint of that run.
    log, *_ = sorted(run.folder.glob(LOGS))
    cfg = Config.fromfile(log.with_name('config.py'))
    for key in OF_ONE_RUN:
        cfg.pop(key, None)
    (out / BEST).write_text(cfg.pretty_text)
    return best
