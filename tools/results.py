"""Update tables of results from the lines that finished runs have saved.

Example:
    mmkd results NOTES.md --lines work_dirs/compare

By default it updates the README and the pages of docs that have such tables. How to
declare a table, and the format of a line: mmkd/compare/written.py and docs/compare.md.
"""

from pathlib import Path

from mmkd.cli.console import ending_in_words
from mmkd.cli.parser import command_parser
from mmkd.compare.lines import Results
from mmkd.compare.written import render

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
PAGES = ('results', 'methods', 'deploy')
TEXTS = [ROOT / 'README.md', *(DOCS / f'{page}.md' for page in PAGES)]
LINES = DOCS / 'results'


def main() -> None:
    """Read the lines and write the tables."""
    parser = command_parser(__doc__)
    parser.add_argument('texts', nargs='*', type=Path, metavar='TEXT', default=TEXTS)
    parser.add_argument(
        '--lines', type=Path, metavar='DIR', default=LINES, help='folder of *.jsonl'
    )
    args = parser.parse_args()
    results = Results(args.lines)
    texts = {path: render(path.read_text(), results) for path in args.texts}
    for path, text in texts.items():
        path.write_text(text)


if __name__ == '__main__':
    with ending_in_words():
        main()
