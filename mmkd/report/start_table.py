"""The table that mmkd logs at the start of training, read from the text log."""

import re
from dataclasses import dataclass, field

TITLE = ' - Distillation\n'
"""How :class:`mmkd.engine.hooks.StartTableHook` begins its message."""

RULE = re.compile(r'[┏┡└┗├]')
ROW = re.compile(r'[┃│]')

SIDES = ('student: ', 'teacher: ')
"""Prefixes of those lines in a cell that do not continue a wrapped one."""


@dataclass
class Table:
    """Rows of cells, each a list of lines.

    Attributes:
        head: The names of the columns.
        rows: The cells.
        note: The line of text above it.
    """

    head: list[str]
    rows: list[list[list[str]]] = field(default_factory=list)
    note: str = ''


def start_tables(start: str) -> list[Table]:
    """Read the tables; a plain training has none.

    Args:
        start: The text log before the first iteration.
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
    """Add a row, or append the continuation lines of the last one."""
    if cells[0] or not table.rows:
        table.rows.append([[cell] for cell in cells])
        return
    for lines, cell in zip(table.rows[-1], cells, strict=False):
        if cell.startswith(SIDES):
            lines.append(cell)
        else:
            lines[-1] = f'{lines[-1]} {cell}'.strip()
