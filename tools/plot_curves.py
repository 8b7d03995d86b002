"""Plot a logged value over training, with mean and range over runs of a label.

Example:
    mmkd plot alone=work_dirs/none_0 dhkd=work_dirs/dhkd_0 --out miou.png
"""

import argparse
import math
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt

from mmkd.analysis.trained import label_and_folder
from mmkd.cli.console import ending_in_words
from mmkd.cli.parser import command_parser
from mmkd.runs.run import read_run
from mmkd.runs.scalars import Curve
from mmkd.spread import band


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='LABEL=WORK_DIR',
        help='runs with the same label, by default their name, become one curve',
    )
    parser.add_argument('--key', default='mIoU', help='logged value, e.g. mIoU or loss')
    parser.add_argument('--out', required=True, help='picture to write')
    return parser.parse_args()


def read_curve(work_dir: Path, key: str) -> Curve:
    """Read a value from all logs of a work directory, joining resumed runs.

    Raises:
        FileNotFoundError: If there is no such folder, or no log in it.
        ValueError: If no log has a finite value under the key, or a line is not JSON.
    """
    scalars = read_run(work_dir).scalars
    try:
        curve = scalars.curve(key)
    except KeyError:
        raise ValueError(f'no log under {work_dir} has {key!r}') from None
    if not any(map(math.isfinite, curve.values())):
        raise ValueError(f'no value of {key!r} under {work_dir} is finite')
    return curve


def plot(curves: dict[str, list[Curve]], key: str, out: str) -> None:
    """Draw one line per label, with a band from its lowest to its highest run."""
    figure, axes = plt.subplots(figsize=(6, 3.6), dpi=110)
    lines = []
    for group in curves.values():
        steps, means, lows, highs = zip(*band(group), strict=True)
        lines += axes.plot(steps, means, marker='.')
        axes.fill_between(steps, lows, highs, alpha=0.2)
    axes.set_xlabel('step')
    axes.set_ylabel(key)
    axes.grid(alpha=0.3)
    # Labels of lines are left out if they begin with an underscore.
    axes.legend(lines, [f'{label} ({len(each)})' for label, each in curves.items()])
    figure.tight_layout()
    figure.savefig(out)


def main() -> None:
    """Read the runs and draw them."""
    args = parse_args()
    curves: dict[str, list[Curve]] = defaultdict(list)
    for run in args.runs:
        label, folder = label_and_folder(run)
        curves[label].append(read_curve(folder, args.key))
    plot(curves, args.key, args.out)


if __name__ == '__main__':
    with ending_in_words():
        main()
