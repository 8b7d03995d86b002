"""Plot the measured directions of the gradients of task and distillation.

Example:
    mmkd analyse gradients one=work_dirs/one_head two=work_dirs/two_heads

It shows gradients with respect to classifier rows and to features of one class, in the
plane of its row and the two nearest rivals'; and their cosine over all features and
rows. To compare, give trainings with BinaryKL on a shared head and on its own head.
"""

import argparse
import json
from typing import Any

from mmkd.analysis.directions import Directions, directions_of
from mmkd.analysis.directions_picture import draw
from mmkd.analysis.trained import labelled, trained
from mmkd.cli.console import ending_in_words
from mmkd.cli.parser import command_parser
from mmkd.cli.pictures import add_run_options, write


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    add_run_options(parser, 'distillations', 'gradients.png', images=1000)
    parser.add_argument(
        '--of', type=int, default=0, metavar='CLASS', help='class of the features (0)'
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
    write(draw(found, names, args.of), args.out, cosines=numbers)


if __name__ == '__main__':
    with ending_in_words():
        main()
