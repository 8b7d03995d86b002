"""The numbers that a training has logged, its sessions joined."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOGS = '*/vis_data/scalars.json'
"""Where in a work directory MMEngine's ``LocalVisBackend`` writes, once a session."""

Curve = dict[int, float]
"""A value by iteration or, of validation in a training that counts epochs, by epoch."""

COUNTERS = ('step', 'iter')


@dataclass
class Scalars:
    """What was logged, by name.

    Attributes:
        train: Values of training steps.
        val: Values of validation, and others that belong to no training step.
    """

    train: dict[str, Curve] = field(default_factory=dict)
    val: dict[str, Curve] = field(default_factory=dict)

    def curve(self, key: str) -> Curve:
        """A value, of validation if both have one of this name.

        Raises:
            KeyError: If there is none.
        """
        return self.val[key] if key in self.val else self.train[key]


def read_scalars(logs: Iterable[Path]) -> Scalars:
    """Read the logs of a training's sessions, in their order.

    What a session logs takes the place of what those before it had logged from there
    on: a killed training that was resumed runs some iterations a second time.

    Raises:
        ValueError: If a line is no record of a log; the message names it. The last one,
            which a kill may have cut off, is left out.
    """
    scalars = Scalars()
    for log in logs:
        session = Scalars()
        for record in read_log(log):
            curves = session.train if _of_training(record) else session.val
            for key, value in record.items():
                if key not in COUNTERS and type(value) in (int, float):
                    curves.setdefault(key, {})[record['step']] = value
        if _first(session.train) <= _first(scalars.train):
            # It began anew: what the one before it scored is another training's.
            scalars.val.clear()
        _go_on(scalars.train, session.train)
        _go_on(scalars.val, session.val)
    return scalars


def read_log(log: Path) -> Iterator[dict[str, Any]]:
    """Read the lines of a log, of which a killed run may have cut off the last.

    Raises:
        ValueError: If another line is no JSON, or has no step; the message names it.
    """
    lines = log.read_text(errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if number < len(lines):
                raise ValueError(f'{log}, line {number} is no JSON: {error}') from None
            print(f'{log}: the last line is cut off, and left out', file=sys.stderr)
            return
        if not isinstance(record, dict) or not isinstance(record.get('step'), int):
            raise ValueError(f'{log}, line {number} is no record of a log: {line[:60]}')
        yield record


def _of_training(record: dict[str, Any]) -> bool:
    return not {'iter', 'lr', 'loss'}.isdisjoint(record)


def _go_on(known: dict[str, Curve], session: dict[str, Curve]) -> None:
    """Replace what is known from the first step of a session on."""
    first = _first(session)
    for key in {**known, **session}:
        kept = {s: v for s, v in known.get(key, {}).items() if s < first}
        known[key] = kept | session.get(key, {})


def _first(curves: dict[str, Curve]) -> float:
    return min((step for curve in curves.values() for step in curve), default=math.inf)
