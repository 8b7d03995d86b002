"""Write a page about trainings: what to do next, results, curves and pictures.

Example:
    mmkd report work_dirs/alone work_dirs/dhkd --out report.html
"""

import argparse
import sys
from pathlib import Path

from mmkd.cli.console import ending_in_words
from mmkd.cli.parser import command_parser
from mmkd.report.page import render, write
from mmkd.runs import Run, read_run


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument(
        'runs', nargs='+', type=Path, metavar='WORK_DIR', help='folders of trainings'
    )
    parser.add_argument(
        '--out', type=Path, default=Path('report.html'), help='page to write'
    )
    parser.add_argument(
        '--images',
        type=int,
        metavar='N',
        help='validation images to use, 0 for none (40 for segmentation, else 2000)',
    )
    args = parser.parse_args()
    if args.images is not None and args.images < 0:
        parser.error(f'--images must not be negative, got {args.images}.')
    return args


def readable(folders: list[Path]) -> list[Run]:
    """The runs; of several, files and folders without a log are reported and skipped.

    Raises:
        FileNotFoundError: If a folder is missing, or none has a log.
        ValueError: If a log or the dumped config cannot be read.
    """
    runs = []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except FileNotFoundError as error:
            if not folder.exists() or len(folders) == 1:
                raise
            print(f'{Path(sys.argv[0]).name}: left out: {error}', file=sys.stderr)
    if not runs:
        raise FileNotFoundError(f'none of the {len(folders)} folders has a log')
    return runs


def main() -> None:
    """Read the runs and write the page."""
    args = parse_args()
    folders = {folder.resolve(): folder for folder in args.runs}
    write(render(readable(list(folders.values())), args.images), args.out)
    print(f'The report is in {args.out}.')


if __name__ == '__main__':
    with ending_in_words():
        main()
