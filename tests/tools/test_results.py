"""No number in the tables is typed by hand, and no run is left out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmkd.compare.lines import Results
from mmkd.compare.written import render

ROOT = Path(__file__).parents[2]
LINES = ROOT / 'docs' / 'results'
PAGES = ('results', 'methods', 'deploy')
TEXTS = [ROOT / 'README.md', *(ROOT / f'docs/{page}.md' for page in PAGES)]


@pytest.mark.parametrize('path', TEXTS, ids=lambda path: path.name)
def test_tables_are_what_the_lines_give(path: Path) -> None:
    assert render(path.read_text(), Results(LINES)) == path.read_text(), 'make results'


def test_every_run_is_in_a_table() -> None:
    results = Results(LINES)
    render((ROOT / 'docs' / 'results.md').read_text(), results)
    assert results.hidden == []


def test_no_other_table_is_in_the_results() -> None:
    text = (ROOT / 'docs' / 'results.md').read_text()
    outside = ''.join(
        part.rpartition('<!-- end of results -->')[2]
        for part in text.split('<!-- results\n')
    )
    assert '| ---' not in outside


@pytest.mark.parametrize('path', sorted(LINES.glob('*.jsonl')), ids=lambda p: p.name)
def test_every_line_says_where_it_is_from(path: Path) -> None:
    for line in map(json.loads, path.read_text().splitlines()):
        assert {'method', 'seed', 'last', 'minutes', 'command'} <= set(line)
        assert line['minutes'] is not None or line['source']


def test_the_command_writes_in_place(
    run_tool: Callable[..., None], tmp_path: Path
) -> None:
    line = dict(seed=0, last=1.5, command=['make'])
    (tmp_path / 'runs.jsonl').write_text(json.dumps(line))
    text = tmp_path / 'text.md'
    declared = '<!-- results\nfile: runs.jsonl\nscore: top-1\nrows: {all: {}}\n-->\n'
    text.write_text(f'{declared}<!-- end of results -->\n')
    run_tool('results.py', text, '--lines', tmp_path)
    assert '| all | 0 | 1.50 | 1.50 | not recorded |\n' in text.read_text()
