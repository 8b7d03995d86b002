"""The measured rows, as a table and as JSON."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

NOT_MEASURED, NOT_APPLICABLE = 'not measured', 'not applicable'
"""Values of rows for which the machine lacks something."""


@dataclass(frozen=True)
class Row:
    """One figure of one pair.

    Attributes:
        figure: What is measured.
        pair: The networks or tensors.
        value: The median of the rounds, or why there is none.
        bar: The maximum that meets the goal; None if there is none.
        unit: Unit of value and bar; ``'ratio'`` is not shown.
        rounds: The value of each round.
    """

    figure: str
    pair: str
    value: float | str
    bar: float | None = None
    unit: str = 'ratio'
    rounds: list[float] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Whether the bar is met."""
        if self.bar is None or isinstance(self.value, str):
            return ''
        return 'met' if self.value <= self.bar else 'MISSED'


def row(
    figure: str,
    pair: str,
    rounds: Sequence[float],
    bar: float | None = None,
    unit: str = 'ratio',
) -> Row:
    """A row whose value is the median of its rounds."""
    return Row(figure, pair, statistics.median(rounds), bar, unit, list(rounds))


def table(rows: Iterable[Row]) -> str:
    """The rows as text: value, range of the rounds, bar."""
    heads = ('figure', 'pair', 'value', 'rounds: range', 'bar', '')
    lines = [heads, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return '\n'.join(
        '  '.join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    unit = '' if row.unit == 'ratio' else f' {row.unit}'
    value = row.value if isinstance(row.value, str) else f'{row.value:.3f}{unit}'
    spread = ''
    if len(row.rounds) > 1:
        spread = f'{len(row.rounds)}: {min(row.rounds):.3f} to {max(row.rounds):.3f}'
    bar = '' if row.bar is None else f'≤ {row.bar:g}'
    return row.figure, row.pair, value, spread, bar, row.verdict


def write(rows: Iterable[Row], file: Path) -> None:
    """Write the rows as a JSON list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    file.write_text(f'{text}\n', encoding='utf-8')
