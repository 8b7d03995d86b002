"""Tables of finished runs in a text, made of the lines that the runs have left.

A text declares a table in a comment. What stands from there to the next such comment,
which ends it, is made anew::

    <!-- results
    file: camvid.jsonl
    where: {rate: 0.05}
    score: mIoU
    rows:
      labels alone: {method: none}
      KD: {method: kd}
    baseline: labels alone
    -->
    <!-- end of results -->
"""

import re
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from mmkd.compare.lines import Results, Row
from mmkd.spread import number

BEGIN, END = '<!-- results\n', '<!-- end of results -->'
BLOCK = re.compile(
    f'^({BEGIN}(.*?)^-->\n)(?:(?!{BEGIN}).)*?^(?={END})', re.MULTILINE | re.DOTALL
)

COLUMNS = ('seeds', 'mean', 'each', 'gain', 'minutes')
"""Of a table that names none."""

HEADS = {
    'mean': '{score}, last',
    'each': 'each seed',
    'gain': 'over {baseline} [95 %]',
    'step_ms': 'ms a step',
    'megabytes': 'MB',
    'ms_median': 'ms an image',
}
"""Of columns that are not called as what they show."""

DEPLOYED = 'megabytes', 'ms_median'
"""Columns of what a network is worth deployed."""

WRONG = AttributeError, LookupError, TypeError, ValueError, yaml.YAMLError
"""What a mistake in a declaration leads to."""

WIDTH = 84


@dataclass(frozen=True)
class Table:
    """A table as a text declares it.

    Attributes:
        file: Of the lines.
        score: What their last score is called.
        rows: By label, which lines are meant: what these fields of them are.
        where: The same, of all rows.
        baseline: The label of the row that others are compared with.
        columns: What they show, see :meth:`mmkd.compare.lines.Row.cell`.
        digits: Of scores, after the point.
        deployed: ``file`` and ``runtime``, see
            :meth:`mmkd.compare.lines.Results.deployed`, for the columns ``megabytes``
            and ``ms_median``.
        notes: Whether the commands stand below it, and what is to be said of lines that
            no run has left.
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
        """The table and what stands below it.

        Args:
            results: Where the lines are.

        Raises:
            ValueError: If a row has no line, or the baseline is none.
        """
        wanted = {label: {**self.where, **each} for label, each in self.rows.items()}
        rows = {row.label: row for row in results.rows(self.file, wanted)}
        if self.baseline not in {None, *rows}:
            raise ValueError(f'the baseline {self.baseline!r} is none of the rows')
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


def head_of(kind: str, names: Mapping[str, Any]) -> str:
    """The head of a column.

    Args:
        kind: See :meth:`mmkd.compare.lines.Row.cell`.
        names: What ``score`` and ``baseline`` are called.
    """
    return HEADS.get(kind, kind.replace('_', ' ')).format_map(names)


def render(text: str, results: Results) -> str:
    """Make the tables of a text anew.

    Args:
        text: In Markdown.
        results: Where the lines are.

    Raises:
        ValueError: If a table has no end, or its declaration a mistake; the message
            has the declaration.
    """
    begun, ended = text.count(BEGIN), len(BLOCK.findall(text))
    if begun != ended:
        raise ValueError(f'{begun} tables begin, and {ended} end with --> and {END}')

    def made(found: re.Match[str]) -> str:
        try:
            table = Table(**yaml.safe_load(found[2]))
            return found[1] + table.markdown(results)
        except WRONG as error:
            raise ValueError(f'{error}, in the table of\n{found[2]}') from None

    return BLOCK.sub(made, text)


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
    # What is quoted is not to be broken.
    text = ' '.join(shlex.quote(word).replace(' ', '\0') for word in words)
    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return ' \\\n    '.join(lines).replace('\0', ' ') + '\n'
