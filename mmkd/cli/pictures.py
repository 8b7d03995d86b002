"""What the commands share that draw trainings."""

import argparse
import json
import math
import shlex
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mmkd.analysis.pictures import save
from mmkd.cli.command_line import positive


def add_run_options(
    parser: argparse.ArgumentParser, runs: str, out: str, images: int
) -> None:
    """Add what names trainings, the picture and how much is looked at.

    Args:
        parser: The command's.
        runs: What the trainings are.
        out: The picture, unless another is named.
        images: How many validation images are looked at, unless told else.
    """
    parser.add_argument('runs', nargs='+', metavar='[LABEL=]WORK_DIR', help=runs)
    parser.add_argument('--out', type=Path, default=Path(out))
    parser.add_argument('--data-root', metavar='DIR', help='if it is now another')
    parser.add_argument(
        '--images', type=positive, default=images, help=f'at most ({images})'
    )
    parser.add_argument('--positions', type=positive, default=64, help='of a map (64)')


def write(figure: Figure, out: Path, **numbers: Any) -> None:
    """Write a picture and, beside it, its numbers with the command as JSON.

    Args:
        figure: The picture.
        out: Its file.
        numbers: What is drawn.
    """
    save(figure, out)
    command = f'{Path(sys.argv[0]).name} {shlex.join(sys.argv[1:])}'.strip()
    content = _without_nan(dict(command=command, **numbers))
    text = json.dumps(content, indent=1, allow_nan=False)
    out.with_suffix('.json').write_text(text)


def _without_nan(value: Any) -> Any:
    """The same with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None
