"""Draw where the gradients of task and distillation point, as measured.

With respect to rows of the classifier and to features of one class, in the plane of its
row and the two nearest rivals'; and the cosine of both for all features and rows. Give
trainings with BinaryKL on the one head and on a head of its own to compare them.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from mmkd.analysis.directions import Directions, directions_of
from mmkd.analysis.directions_picture import draw
from mmkd.analysis.pictures import save
from mmkd.analysis.trained import labelled, trained
from mmkd.cli.command_line import positive
from mmkd.cli.console import console


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='[LABEL=]WORK_DIR', help='distillations'
    )
    parser.add_argument('--out', type=Path, default=Path('gradients.png'))
    parser.add_argument('--data-root', metavar='DIR', help='if it is now another')
    parser.add_argument('--images', type=positive, default=1000, help='at most (1000)')
    parser.add_argument('--positions', type=positive, default=64, help='of a map (64)')
    parser.add_argument(
        '--of', type=int, default=0, metavar='CLASS', help='whose features (0)'
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print, draw."""
    args = parse_args()
    found: dict[str, Directions] = {}
    numbers: dict[str, Any] = {}
    names: list[str] = []
    for label, folder in labelled(args.runs).items():
        run = trained(folder, data_root=args.data_root)
        names = run.classes
        found[label] = directions_of(run, args.images, args.positions)
        values = dict(
            features=found[label].feature_cosines, rows=found[label].row_cosines
        )
        numbers[label] = {
            name: dict(
                count=len(each),
                mean_cosine=each.mean().item(),
                share_below_0=each.lt(0).double().mean().item(),
            )
            for name, each in values.items()
            if len(each)
        }
        print(f'{label}: {json.dumps(numbers[label])}', flush=True)
    save(draw(found, names, args.of), args.out)
    command = f'gradients.py {shlex.join(sys.argv[1:])}'
    content = dict(command=command, cosines=numbers)
    args.out.with_suffix('.json').write_text(json.dumps(content, indent=1))


if __name__ == '__main__':
    try:
        with console():
            main()
    except (OSError, ValueError) as error:
        sys.exit(f'gradients.py: {error}')
