"""Plot a logged value over training, as mean and range over runs of a kind."""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt

Curve = dict[int, float]
"""A value by iteration or epoch."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='LABEL=WORK_DIR',
        help='runs of one label are drawn as one curve with a band',
    )
    parser.add_argument('--key', default='mIoU', help='logged value, as mIoU or loss')
    parser.add_argument('--out', required=True, help='picture to write')
    return parser.parse_args()


def read_curve(work_dir: Path, key: str) -> Curve:
    """Read a value from all logs of a work directory, resumed runs joined.

    Raises:
        ValueError: If no log holds the value, or a line is no JSON.
    """
    curve: Curve = {}
    for log in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for record in read_log(log):
            if key in record:
                curve[record['step']] = record[key]
    if not curve:
        raise ValueError(f'no log under {work_dir} holds {key!r}')
    return curve


def read_log(log: Path) -> Iterator[dict[str, Any]]:
    """Read the lines of a log, of which a killed run may have cut off the last.

    Raises:
        ValueError: If another line is no JSON; the message names it.
    """
    lines = log.read_text(errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number < len(lines):
                raise ValueError(f'{log}, line {number} is no JSON: {error}') from None
            print(f'{log}: the last line is cut off, and left out', file=sys.stderr)


def plot(curves: dict[str, list[Curve]], key: str, out: str) -> None:
    """Draw one line a label, with a band from its lowest to its highest run."""
    figure, axes = plt.subplots(figsize=(6, 3.6), dpi=110)
    for label, group in curves.items():
        steps = sorted(set.intersection(*(set(curve) for curve in group)))
        columns = [[curve[step] for curve in group] for step in steps]
        means = [sum(column) / len(column) for column in columns]
        axes.plot(steps, means, marker='.', label=f'{label} ({len(group)})')
        axes.fill_between(
            steps,
            [min(column) for column in columns],
            [max(column) for column in columns],
            alpha=0.2,
        )
    axes.set_xlabel('step')
    axes.set_ylabel(key)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out)


def main() -> None:
    """Read the runs and draw them."""
    args = parse_args()
    curves: dict[str, list[Curve]] = defaultdict(list)
    for run in args.runs:
        label, _, work_dir = run.partition('=')
        curves[label].append(read_curve(Path(work_dir), args.key))
    plot(curves, args.key, args.out)


if __name__ == '__main__':
    main()
