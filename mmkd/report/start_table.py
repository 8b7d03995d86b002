"""The table that a training of mmkd starts with, found in its text log."""

import re
from dataclasses import dataclass, field

TITLE = ' - Distillation\n'
"""How :class:`mmkd.engine.hooks.StartTableHook` begins it."""

RULE = re.compile(r'[┏┡└┗├]')
ROW = re.compile(r'[┃│]')

SIDES = ('student: ', 'teacher: ')
"""What begins a line of a cell that is no wrapped one."""


@dataclass
class Table:
    """Rows of cells, each of which has lines.

    Attributes:
        head: The names of the columns.
        rows: The cells.
        note: A line of text that stands above it.
    """

    head: list[str]
    rows: list[list[list[str]]] = field(default_factory=list)
    note: str = ''


def start_tables(start: str) -> list[Table]:
    """Read the tables; there are none of a plain training.

    Args:
        start: What stands in a log before the first iteration.
    """
    tables: list[Table] = []
    note = ''
    for line in start.rpartition(TITLE)[2].splitlines() if TITLE in start else ():
        if RULE.match(line):
            continue
        if not ROW.match(line):
            note = line.strip()
            if not note:
                break
            continue
        cells = [cell.strip() for cell in ROW.split(line)[1:-1]]
        if line.startswith('┃'):
            tables.append(Table(cells, note=note))
            note = ''
        elif tables:
            _add(tables[-1], cells)
    return tables


def _add(table: Table, cells: list[str]) -> None:
    """Add a row, or what of the last one goes on in another line."""
    if cells[0] or not table.rows:
        table.rows.append([[cell] for cell in cells])
        return
    for lines, cell in zip(table.rows[-1], cells, strict=False):
        if cell.startswith(SIDES):
            lines.append(cell)
        else:
            lines[-1] = f'{lines[-1]} {cell}'.strip()
