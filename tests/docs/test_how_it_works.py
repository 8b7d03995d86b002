"""The rooms are as the page says: each imports only from those below it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/how_it_works.md').read_text()
ROWS = [
    re.findall(r'\]\(\.\./(mmkd/[\w/.]+)\)', line)
    for line in PAGE.splitlines()
    if line.startswith('| [')
]
HEIGHT = {room: -row for row, rooms in enumerate(ROWS) for room in rooms}


def room_of(path: Path) -> str | None:
    """The innermost room that a file is in."""
    places = [str(each) for each in (path, *path.parents)]
    return next((place for place in places if place in HEIGHT), None)


def imported(file: Path) -> Iterator[Path]:
    """The files of mmkd that one imports, or their folder."""
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('mmkd.'):
            folder = Path(*node.module.split('.'))
            for name in node.names:
                inner = folder / f'{name.name}.py'
                outer = folder.with_suffix('.py')
                there = (each for each in (inner, outer) if (ROOT / each).exists())
                yield next(there, folder)


def test_no_room_imports_from_one_above_it() -> None:
    seen = 0
    for path in (ROOT / 'mmkd').rglob('*.py'):
        file = path.relative_to(ROOT)
        room = room_of(file)
        for other in map(room_of, imported(file)) if room else ():
            seen += 1
            if room and other:
                assert HEIGHT[other] <= HEIGHT[room], f'{file} imports from {other}'
    assert seen > 500


def test_every_folder_is_a_room() -> None:
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob('mmkd/**/*.py')}
    assert len(folders) > 20
    assert {str(f) for f in folders if room_of(f) is None} == {'mmkd', 'mmkd/models'}
