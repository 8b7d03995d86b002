"""Measures the cost of distillation on this machine.

A figure is the median of rounds in which its parts take turns, in CPU time on one
thread; on a GPU, in wall-clock time. docs/performance.md explains the figures.
"""

import argparse
import gc
import sys
import tempfile
import time
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path

import torch

from benchmarks import (
    against,
    alone,
    building,
    gpu,
    losses,
    memory,
    recording,
    starts,
    steps,
    waiting,
)
from benchmarks.forms import Forms
from benchmarks.pairs import PAIRS, Pair
from benchmarks.table import Row, table, write
from benchmarks.training import Workshop

SUBJECTS = (
    *dict.fromkeys(ratio.subject for ratio in steps.RATIOS),
    'recording',
    'forwards',
    'data',
    'start',
    'memory',
    'gpu',
    'losses',
)
UNUSUAL = ('compiled', 'compiled_amp')
"""Subjects measured only when named: they compile, with a C++ compiler."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    parser.add_argument(
        '--only',
        nargs='+',
        choices=SUBJECTS,
        default=[each for each in SUBJECTS if each not in UNUSUAL],
        help='what to measure',
    )
    parser.add_argument(
        '--rounds', type=int, default=7, help='rounds in which all forms take turns'
    )
    parser.add_argument(
        '--against',
        metavar='PYTHON',
        help="also measure MMRazor's own loop, in an interpreter with MMRazor and "
        "mmkd's requirements",
    )
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/bench/bench.json'), help='JSON file'
    )
    return parser.parse_args()


def rows_of(
    pair: Pair, device: str, subjects: Collection[str], rounds: int
) -> Iterator[Row]:
    """Measure a pair.

    Args:
        pair: The pair.
        device: ``'cpu'`` or ``'cuda'``.
        subjects: Which figures.
        rounds: How often the forms of a step take turns.
    """
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(pair, Path(folder), device)
        forms = Forms(workshop)
        yield from steps.rows(forms, subjects, rounds)
        if 'gpu' in subjects:
            yield from gpu.rows(forms)
        del forms
        gc.collect()
        if 'recording' in subjects and device == 'cpu':
            yield recording.recording(workshop, rounds)
        if 'forwards' in subjects:
            yield building.forwards(workshop)
        if 'memory' in subjects:
            yield from memory.rows(workshop)
        if 'start' in subjects:
            yield from starts.rows(workshop, rounds=max(1, rounds * 2 // 3))
        if 'data' in subjects and not pair.is_maps:
            yield waiting.waiting(workshop)


def main() -> None:
    """Measure, print and write."""
    args = parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    found: list[Row] = []
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    subjects = {*args.only}
    apart = alone.ALONE in subjects and len(subjects) > 1
    if apart:
        subjects.remove(alone.ALONE)
    if 'losses' in subjects:
        # First, because memory freed by a training makes the pass over maps cheap.
        found += losses.rows(args.rounds, device)
    for pair in PAIRS[device] if subjects - {'losses'} else ():
        begin = time.perf_counter()
        found += rows_of(pair, device, subjects, args.rounds)
        taken = time.perf_counter() - begin
        print(f'{pair.title}: measured in {taken:.0f} s', file=sys.stderr)
    if apart:
        found += alone.rows(args.rounds)
    if args.against:
        try:
            found += against.rows(args.against, args.rounds)
        except ImportError as error:
            print(error, file=sys.stderr)
    print(table(found))
    write(found, args.out)


if __name__ == '__main__':
    main()
