import json
from pathlib import Path

from benchmarks.table import NOT_MEASURED, Row, row, table, write


def test_a_value_is_the_median_of_its_rounds() -> None:
    assert row('figure', 'pair', [3.0, 1.0, 2.0]).value == 2


def test_the_file_is_a_list_of_dicts(tmp_path: Path) -> None:
    rows = [row('a ÷ b', 'x→y', [0.5], 0.9), Row('c', 'x→y', NOT_MEASURED, 2, '%')]
    write(rows, tmp_path / 'bench' / 'bench.json')
    first = dict(
        figure='a ÷ b', pair='x→y', value=0.5, bar=0.9, unit='ratio', rounds=[0.5]
    )
    second = dict(
        figure='c', pair='x→y', value=NOT_MEASURED, bar=2, unit='%', rounds=[]
    )
    text = (tmp_path / 'bench' / 'bench.json').read_text(encoding='utf-8')
    assert json.loads(text) == [first, second]


def test_the_table_says_which_bars_are_missed() -> None:
    met, missed, unknown = table(
        [
            row('a', 'x', [0.9], 0.9),
            row('b', 'x', [0.91], 0.9),
            Row('c', 'x', NOT_MEASURED, 0.9),
        ]
    ).splitlines()[1:]
    assert met.endswith('met')
    assert missed.endswith('MISSED')
    assert unknown.endswith('≤ 0.9')
