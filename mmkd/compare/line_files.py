"""Files of result lines, checked as they are read."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

Line = Mapping[str, Any]
"""The result of a run, see :func:`mmkd.compare.saved.line`.

``seed``, ``last`` and ``command`` are required; if no run wrote it, so is ``source``.
"""

KINDS: dict[str, Any] = dict(seed=int, last=(int, float), command=list)
"""The types of what is required."""


def read_lines(path: Path) -> list[Line]:
    """Read the lines of a file.

    Args:
        path: The file, with a line per run.

    Raises:
        ValueError: If a line is not the JSON of a run with a finite last score; the
            message names it.
    """
    lines: list[Line] = []
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        place = f'{path}, line {number}'
        line = read_object(place, text)
        for key, kind in KINDS.items():
            value = line.get(key)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(f'{place}: {key} is not that of a run: {value!r:.40}')
        if not math.isfinite(line['last']):
            raise ValueError(f'{place}: last is not finite: {line["last"]}')
        lines.append(line)
    return lines


def read_object(place: str, text: bytes) -> dict[str, Any]:
    """Read a JSON object without ``NaN`` and ``Infinity``.

    Args:
        place: Where it is, for messages.
        text: The JSON.

    Raises:
        ValueError: If it is anything else; the message begins with the place.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f'{constant} is not a result')

    try:
        found = json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise ValueError(f'{place}: {error}') from error
    if not isinstance(found, dict):
        raise ValueError(f'{place}: it must be a JSON object, got {found!r:.40}')
    return found
