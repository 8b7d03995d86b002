"""Options and output shared by the commands that plot trainings."""

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
    """Add the options for trainings, the picture and the number of images.

    Args:
        parser: The command's parser.
        runs: Help text for the trainings.
        out: Default file of the picture.
        images: Default number of validation images.
    """
    parser.add_argument('runs', nargs='+', metavar='[LABEL=]WORK_DIR', help=runs)
    parser.add_argument('--out', type=Path, default=Path(out))
    parser.add_argument('--data-root', metavar='DIR', help='if the data has moved')
    parser.add_argument(
        '--images', type=positive, default=images, help=f'maximum number ({images})'
    )
    parser.add_argument('--positions', type=positive, default=64, help='per map (64)')


def write(figure: Figure, out: Path, **numbers: Any) -> None:
    """Write a picture and, next to it, its numbers and the command as JSON.

    Args:
        figure: The picture.
        out: Its file.
        numbers: The plotted values.
    """
    save(figure, out)
    command = f'{Path(sys.argv[0]).name} {shlex.join(sys.argv[1:])}'.strip()
    content = _without_nan(dict(command=command, **numbers))
    text = json.dumps(content, indent=1, allow_nan=False)
    out.with_suffix('.json').write_text(text)


def _without_nan(value: Any) -> Any:
    """The same with None for NaN and infinity, which JSON does not support."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None
