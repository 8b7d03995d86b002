"""The kinds of tables that a text can declare, in Markdown."""

import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmkd.compare.lines import Results, Row
from mmkd.compare.ranges import written
from mmkd.deploy.worth import sentences, table
from mmkd.spread import number

COLUMNS = ('seeds', 'mean', 'each', 'gain', 'minutes')
"""Of a table that does not specify any."""

HEADS = {
    'mean': '{score}, last',
    'each': 'each seed',
    'gain': 'over {baseline} [95 %]',
    'step_ms': 'ms per step',
    'megabytes': 'MB',
    'ms_median': 'ms per image',
}
"""Headings of columns where they differ from the column's name."""

DEPLOYED = 'megabytes', 'ms_median'
"""Columns with measurements of the deployed network."""

WIDTH = 84


@dataclass(frozen=True)
class Table:
    """A table as a text declares it.

    Attributes:
        file: The file with the lines.
        score: Name of their last score.
        rows: By label, the field values that select its lines.
        where: Field values that select the lines of all rows.
        baseline: The label of the row that others are compared with.
        columns: Their content, see :meth:`mmkd.compare.lines.Row.cell`.
        digits: Decimal places of scores.
        deployed: ``file`` and ``runtime``, see
            :meth:`mmkd.compare.lines.Results.deployed`, for the columns ``megabytes``
            and ``ms_median``.
        notes: Whether the commands, and the sources of lines that no run wrote, are
            shown below it.
    """

    file: str
    score: str
    rows: Mapping[str, Mapping[str, Any]]
    where: Mapping[str, Any] = field(default_factory=dict)
    baseline: str | None = None
    columns: Sequence[str] = COLUMNS
    digits: int = 2
    deployed: Mapping[str, str] | None = None
    notes: bool = True

    def markdown(self, results: Results) -> str:
        """The table and its notes.

        Args:
            results: Where the lines are.

        Raises:
            ValueError: If a row has no line, or the baseline is not a row.
        """
        wanted = {label: {**self.where, **each} for label, each in self.rows.items()}
        rows = {row.label: row for row in results.rows(self.file, wanted)}
        if self.baseline not in {None, *rows}:
            raise ValueError(f'the baseline {self.baseline!r} is not one of the rows')
        baseline = rows[self.baseline] if self.baseline else None
        columns = [kind for kind in self.columns if kind != 'gain' or baseline]
        marks = _marks(rows.values()) if self.notes else {}
        worth = results.deployed(**self.deployed) if self.deployed else {}
        names = dict(score=self.score, baseline=self.baseline)
        cells = [['', *(head_of(kind, names) for kind in columns)]]
        cells.append(['---', *['---:'] * len(columns)])
        for row in rows.values():
            network = worth.get('teacher' if row.is_teacher else 'student', {})
            values = [
                number(network[kind], 2)
                if kind in DEPLOYED
                else row.cell(kind, baseline, self.digits)
                for kind in columns
            ]
            mark = ''.join(marks.get(source, '') for source in row.sources)
            cells.append([row.label + mark, *values])
        text = ''.join(f'| {" | ".join(line)} |\n' for line in cells)
        text += ''.join(f'\n{mark} {source}\n' for source, mark in marks.items())
        return f'\n{text}\n' + (_commands(rows.values()) if self.notes else '')


@dataclass(frozen=True)
class Profile:
    """A table of deployed networks as a text declares it.

    Attributes:
        profile: The output of ``mmkd profile --out``.
    """

    profile: str

    def markdown(self, results: Results) -> str:
        """The table, what it shows, and the command.

        Args:
            results: Where the file is.

        Raises:
            ValueError: If there is no such file.
        """
        found = results.read(self.profile)
        text = f'\n{table(found["networks"])}\n'
        for each in sentences(found['networks']):
            text += textwrap.fill(f'- {each}', WIDTH, subsequent_indent='  ') + '\n'
        return f'{text}\n```text\n{_in_lines(found["command"])}```\n\n'


@dataclass(frozen=True)
class Tried:
    """A table of tuning runs as a text declares it.

    Attributes:
        tuned: The ``tuned.json`` of ``mmkd compare --tune``.
        score: Name of their last score.
        digits: Decimal places of scores.
    """

    tuned: str
    score: str
    digits: int = 2

    def markdown(self, results: Results) -> str:
        """The table: for each method all settings with their scores, the chosen bold.

        Args:
            results: Where the file is.

        Raises:
            ValueError: If there is no such file.
        """
        text = f'\n|  | {self.score}, last, on held-out images |\n| --- | --- |\n'
        for method, content in results.read(self.tuned).items():
            chosen = written(content['chosen'])
            cells = []
            for settings, score in content['tried'].items():
                found = 'failed' if score is None else number(score, self.digits)
                cell = f'{_short(settings)}: {found}'
                cells.append(f'**{cell}**' if settings == chosen else cell)
            text += f'| `{method}` | {"<br>".join(cells)} |\n'
        return f'{text}\n'


def head_of(kind: str, names: Mapping[str, Any]) -> str:
    """The heading of a column.

    Args:
        kind: See :meth:`mmkd.compare.lines.Row.cell`.
        names: Names of ``score`` and ``baseline``.
    """
    return HEADS.get(kind, kind.replace('_', ' ')).format_map(names)


def _short(settings: str) -> str:
    """Settings without the path of their keys, where they can be told apart."""
    words = [word.partition('=') for word in settings.split()]
    last = [key.rpartition('.')[2] for key, _, _ in words]
    return ', '.join(
        f'{name if last.count(name) == 1 else key} {value}'
        for name, (key, _, value) in zip(last, words, strict=True)
    )


def _marks(rows: Iterable[Row]) -> dict[str, str]:
    sources = dict.fromkeys(source for row in rows for source in row.sources)
    return {source: f'<sup>{place}</sup>' for place, source in enumerate(sources, 1)}


def _commands(rows: Iterable[Row]) -> str:
    labels: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        labels.setdefault(row.command, []).append(row.label)
    shown = ''.join(
        (f'# {"; ".join(names)}\n' if len(labels) > 1 else '') + _in_lines(command)
        for command, names in labels.items()
    )
    head = '<details><summary>Commands, with the first seed</summary>'
    return f'{head}\n\n```bash\n{shown}```\n\n</details>\n\n'


def _in_lines(command: Sequence[str]) -> str:
    words = ['python', *command] if command[0].endswith('.py') else command
    # Quoted words must not be broken.
    text = ' '.join(shlex.quote(word).replace(' ', '\0') for word in words)
    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return ' \\\n    '.join(lines).replace('\0', ' ') + '\n'
