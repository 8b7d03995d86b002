"""What came of a comparison: a line for each run, a row for each method."""

import json
import shutil
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

import mmkd
from mmkd.config.experiments import NONE
from mmkd.report.groups import score_key
from mmkd.runs import Run, read_run
from mmkd.runs.scalars import LOGS
from mmkd.runs.training import Training
from mmkd.spread import NOTHING, Gain, number, paired_gain, spread

LINES = 'runs.jsonl'
BEST = 'best.py'
HEAD = ('method', 'runs', '{}', 'gain over the student alone', 'minutes', 'ms a step')


@dataclass(frozen=True)
class Row:
    """A method's runs.

    Attributes:
        method: Its name.
        runs: By seed.
        key: The score that is compared.
        gain: Over the student alone, seed by seed; None where there is none to compare
            with.
    """

    method: str
    runs: dict[int, Run]
    key: str
    gain: Gain | None

    @property
    def scores(self) -> dict[int, float]:
        """The last score of each seed."""
        return {seed: last(run, self.key) for seed, run in self.runs.items()}

    @property
    def mean(self) -> float:
        """Of the scores."""
        return statistics.fmean(self.scores.values())

    @property
    def cells(self) -> list[str]:
        """The row, as it is written."""
        runs = self.runs.values()
        return [
            self.method,
            str(len(runs)),
            spread(self.scores.values(), 2),
            NOTHING if self.gain is None else self.gain.numbers,
            spread((run.minutes for run in runs), 1),
            spread((run.step_ms for run in runs), 0),
        ]

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.method == NONE:
            return f'{self.method}: the student alone, {number(self.mean, 2)}'
        if self.gain is None:
            return f'{self.method}: no seed in common with the student alone'
        return f'{self.method}: {self.gain.verdict}'


def read_done(trainings: Iterable[Training]) -> list[tuple[Training, Run]]:
    """What the trainings that are done have left.

    Args:
        trainings: All that are to be compared.
    """
    return [(each, read_run(each.work_dir)) for each in trainings if each.is_done]


def rows_of(done: Sequence[tuple[Training, Run]]) -> list[Row]:
    """The rows of what is done, in the order of the methods.

    Args:
        done: Of :func:`read_done`.

    Raises:
        ValueError: If none has logged a score.
    """
    found: dict[str, dict[int, Run]] = {}
    for each, run in done:
        found.setdefault(each.name, {})[each.seed] = run
    key = score_key([run for _, run in done])
    if key is None:
        raise ValueError('no run has logged a score: the pair has no validation.')
    alone = {seed: last(run, key) for seed, run in found.get(NONE, {}).items()}
    rows = []
    for method, runs in found.items():
        scores = {seed: last(run, key) for seed, run in runs.items()}
        gain = None if method == NONE else paired_gain(scores, alone)
        rows.append(Row(method, runs, key, gain))
    return rows


def last(run: Run, key: str) -> float:
    """The last score of a run.

    Raises:
        ValueError: If it has none.
    """
    curve = run.score(key)
    if not curve:
        raise ValueError(f'{run.folder} has logged no {key}.')
    return curve[max(curve)]


def line(training: Training, run: Run, key: str, commit: str | None) -> dict[str, Any]:
    """What is kept of a finished run.

    Args:
        training: What was trained.
        run: What it has left.
        key: The score.
        commit: Of the code; None where it is no clone.
    """
    return dict(
        method=training.name,
        seed=training.seed,
        score=key,
        last=round(last(run, key), 4),
        best=round(max(run.score(key).values()), 4),
        minutes=run.minutes and round(run.minutes, 2),
        step_ms=run.step_ms and round(run.step_ms, 1),
        iterations=run.iterations,
        command=['tools/train.py', *training.command[1:]],
        mmkd=mmkd.__version__,
        torch=torch.__version__,
        commit=commit,
    )


def write_lines(
    done: Iterable[tuple[Training, Run]], key: str, out: Path, commit: str | None
) -> None:
    """Write the line of each finished run that has none yet.

    Args:
        done: Of :func:`read_done`.
        key: The score.
        out: The folder of the comparison.
        commit: See :func:`line`.
    """
    path = out / LINES
    known = path.read_text().splitlines() if path.exists() else []
    there = {(old['method'], old['seed']) for old in map(json.loads, known)}
    with path.open('a') as file:
        for each, run in done:
            if (each.name, each.seed) not in there:
                file.write(f'{json.dumps(line(each, run, key, commit))}\n')


def table(rows: Sequence[Row], title: str) -> Table:
    """The rows, for a terminal.

    Args:
        rows: One at least.
        title: What is compared.
    """
    made = Table(title=title)
    for name in HEAD:
        made.add_column(name.format(rows[0].key))
    for row in rows:
        made.add_row(*row.cells)
    return made


def markdown(rows: Sequence[Row]) -> str:
    """The same rows and a verdict for each, as text.

    Args:
        rows: One at least.
    """
    head = [name.format(rows[0].key) for name in HEAD]
    lines = [head, ['---'] * len(head), *(row.cells for row in rows)]
    text = '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
    return text + '\n\n' + ''.join(f'- {row.verdict}\n' for row in rows)


def write_best(rows: Sequence[Row], out: Path) -> str:
    """Copy the config of the method with the highest mean score.

    Args:
        rows: One at least.
        out: The folder of the comparison.

    Returns:
        The method.
    """
    best = max(rows, key=lambda row: row.mean)
    run = next(iter(best.runs.values()))
    [*_, log] = sorted(run.folder.glob(LOGS))
    shutil.copy(log.with_name('config.py'), out / BEST)
    return best.method
