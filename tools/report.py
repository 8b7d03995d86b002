"""Write one page about trainings: what to do next, results, curves, pictures."""

import argparse
import sys
from pathlib import Path

from mmkd.cli.console import console
from mmkd.report.page import render, write
from mmkd.runs import read_run


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
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
        help='validation images to look at, 0 for none; 40 for pixels, else 2000',
    )
    args = parser.parse_args()
    if args.images is not None and args.images < 0:
        parser.error(f'--images must not be negative, got {args.images}.')
    return args


def main() -> None:
    """Read the runs and write the page."""
    args = parse_args()
    folders = {folder.resolve(): folder for folder in args.runs}
    try:
        runs = [read_run(folder) for folder in folders.values()]
        with console():
            page = render(runs, args.images)
        write(page, args.out)
    except (OSError, ValueError) as error:
        sys.exit(f'report.py: {error}')
    print(f'The report stands in {args.out}.')


if __name__ == '__main__':
    main()
