"""The values that a training has logged, joined over its sessions."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmkd.runs.settings import read_dumped

LOGS = '*/vis_data/scalars.json'
"""Files of MMEngine's ``LocalVisBackend`` in a work directory, one per session."""

Curve = dict[int, float]
"""A value by iteration or, for validation in a training by epochs, by epoch."""

COUNTERS = ('step', 'iter')


@dataclass
class Scalars:
    """Logged values by name.

    Attributes:
        train: Values of training steps.
        val: Values of validation, and others that belong to no training step.
    """

    train: dict[str, Curve] = field(default_factory=dict)
    val: dict[str, Curve] = field(default_factory=dict)

    def curve(self, key: str) -> Curve:
        """A curve by its name, that of validation if both have it.

        Raises:
            KeyError: If there is none.
        """
        return self.val[key] if key in self.val else self.train[key]


def read_scalars(logs: Iterable[Path]) -> Scalars:
    """Read the logs of a training's sessions, in their order.

    From its first step on, a session replaces what earlier ones have logged: a killed
    training that was resumed runs some iterations a second time.

    Raises:
        ValueError: If a line is not a log record, or a dumped config cannot be read;
            the message names it. An incomplete last line, as a kill may leave, is
            ignored.
    """
    scalars = Scalars()
    for log in logs:
        session = Scalars()
        for record in read_log(log):
            curves = session.train if _of_training(record) else session.val
            for key, value in record.items():
                if key not in COUNTERS and type(value) in (int, float):
                    curves.setdefault(key, {})[record['step']] = value
        begins_as_early = _first(session.train) <= _first(scalars.train) < math.inf
        if begins_as_early and not _is_resumed(log):
            # It started over: earlier scores are those of another training.
            scalars.val.clear()
        _go_on(scalars.train, session.train)
        _go_on(scalars.val, session.val)
    return scalars


def read_log(log: Path) -> Iterator[dict[str, Any]]:
    """Read the lines of a log; a killed run may have cut off the last one.

    Raises:
        ValueError: If another line is not JSON, or has no step; the message names it.
    """
    lines = log.read_text(errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if number < len(lines):
                raise ValueError(f'{log}, line {number} is not JSON: {error}') from None
            print(f'{log}: the last line is cut off and ignored', file=sys.stderr)
            return
        if not isinstance(record, dict) or not isinstance(record.get('step'), int):
            raise ValueError(f'{log}, line {number} is not a log record: {line[:60]}')
        yield record


def _is_resumed(log: Path) -> bool:
    """Whether a session's config says that it went on from a checkpoint."""
    config = log.with_name('config.py')
    return config.is_file() and bool(read_dumped(config).get('resume'))


def _of_training(record: dict[str, Any]) -> bool:
    return not {'iter', 'lr', 'loss'}.isdisjoint(record)


def _go_on(known: dict[str, Curve], session: dict[str, Curve]) -> None:
    """Replace known values from the first step of a session on."""
    first = _first(session)
    for key in {**known, **session}:
        kept = {s: v for s, v in known.get(key, {}).items() if s < first}
        known[key] = kept | session.get(key, {})


def _first(curves: dict[str, Curve]) -> float:
    return min((step for curve in curves.values() for step in curve), default=math.inf)
