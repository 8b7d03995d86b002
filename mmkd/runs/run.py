"""One training, read from its files."""

import math
import re
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mmkd.resilience.resume import LAST, NAMES
from mmkd.runs.scalars import LOGS, Curve, Scalars, read_scalars
from mmkd.runs.scores import OF_HOOKS, rule_of, validates_at
from mmkd.runs.settings import read_sessions
from mmkd.runs.texts import (
    ENDED_EARLY,
    EXPORTED,
    NOT_FINITE,
    read_last,
    span,
    steps_of_an_epoch,
)

STUDENT = 'student.pth'
"""Default file name of the student that a distillation saves at its end."""


# Two are never compared, but what is computed from one is cached.
@dataclass(frozen=True, eq=False)
class Run:
    """One training.

    Attributes:
        folder: Its work directory.
        settings: Its config, as plain data; empty if none was dumped. ``load_from`` is
            that of its beginning, not the checkpoint from which it was resumed.
        scalars: Its logged values.
        texts: Its text logs, one per session.
    """

    folder: Path
    settings: dict[str, Any]
    scalars: Scalars
    texts: tuple[Path, ...]

    @property
    def methods(self) -> dict[str, Any] | None:
        """The methods that it distils with; None for a plain training."""
        model = self.settings.get('model')
        if not isinstance(model, dict) or 'student' not in model:
            return None
        return {k: v for k, v in (model.get('methods') or {}).items() if v}

    @property
    def student(self) -> dict[str, Any]:
        """The config of the trained model; empty if it is the path of another file."""
        model = self.settings.get('model')
        model = model if isinstance(model, dict) else {}
        student = model.get('student', model)
        return student if isinstance(student, dict) else {}

    @cached_property
    def seed(self) -> int | None:
        """Its seed, from the config or, if MMEngine drew one, from the log."""
        seed = (self.settings.get('randomness') or {}).get('seed')
        if seed is None:
            found = re.search(r'^ +seed: (\d+)$', self._head, re.MULTILINE)
            seed = int(found[1]) if found else None
        return seed if isinstance(seed, int) else None

    @cached_property
    def _head(self) -> str:
        """The beginning of the first text log."""
        for path in self.texts:
            with path.open(errors='replace') as file:
                return file.read(1_000_000)
        return ''

    @property
    def start(self) -> str:
        """The part of the text log before the first iteration."""
        return self._head.partition(' - Epoch(train)')[0].partition(' - Iter(train)')[0]

    @property
    def unit(self) -> Literal['epoch', 'iteration']:
        """The unit of the steps at which scores are logged."""
        return 'epoch' if 'max_epochs' in self._train_cfg else 'iteration'

    @property
    def _train_cfg(self) -> dict[str, Any]:
        train = self.settings.get('train_cfg')
        return train if isinstance(train, dict) else {}

    @property
    def length(self) -> int | None:
        """Planned number of epochs or iterations."""
        key = 'max_epochs' if self.unit == 'epoch' else 'max_iters'
        length = self._train_cfg.get(key)
        return length if isinstance(length, int) else None

    @cached_property
    def iterations(self) -> int:
        """How many it has trained; of an incomplete run, the last one logged."""
        if self.unit == 'epoch' and self.finished:
            steps = steps_of_an_epoch(self.texts)
            if steps is not None:
                return steps * self.reached
        if self.unit == 'iteration' and self.finished and not self._ends_early:
            return self.length or self._logged
        return self._logged

    @property
    def _logged(self) -> int:
        curves = self.scalars.train.values()
        return max((step for curve in curves for step in curve), default=0)

    @property
    def reached(self) -> int:
        """The last epoch or iteration that was logged."""
        if self.unit == 'iteration':
            return self._logged
        return int(max(self.scalars.train.get('epoch', {}).values(), default=0))

    @property
    def finished(self) -> bool:
        """Whether it has finished, or a hook has ended it, judging by its files.

        The validation that is due at its end is part of it.
        """
        if self.length is None or self._exported or self._ends_early:
            return True
        if validates_at(self.length, self.settings):
            scored = [
                {*curve}
                for name, curve in self.scalars.val.items()
                if curve and not name.startswith(OF_HOOKS)
            ]
            # Else they are logged by the other unit: by epoch, of which only 0 is.
            if {0} not in scored and all(max(s) <= self.length for s in scored):
                return any(self.length in steps for steps in scored)
        ends = [name.format(self.length) for name in NAMES]
        if any((self.folder / end).exists() for end in ends):
            return True
        counted = list(self.scalars.val.values())
        if self.unit == 'iteration':
            counted += self.scalars.train.values()
        return any(self.length in curve for curve in counted)

    @property
    def _ends_early(self) -> bool:
        return any(told in self._last for told in ENDED_EARLY)

    @property
    def not_finite(self) -> str | None:
        """What was no longer finite when its last session ended; None if all was."""
        found = NOT_FINITE.search(self._last)
        return found[1] if found else None

    @cached_property
    def _exported(self) -> bool:
        """Whether its last session, not an earlier one, saved the student."""
        return EXPORTED in self._last

    @cached_property
    def _last(self) -> str:
        """The last text log."""
        return read_last(self.texts)

    @property
    def checkpoint(self) -> Path | None:
        """The newer of its student and last checkpoint, of those that still exist."""
        student = self.folder / STUDENT
        last = last_checkpoint(self.folder) or student
        there = (student, last) if self._exported else (last, student)
        return next(filter(Path.is_file, there), None)

    @cached_property
    def minutes(self) -> float | None:
        """Wall-clock minutes of all sessions, from first to last line of each log."""
        spans = list(filter(None, map(span, self.texts)))
        return sum(spans) / 60 if spans else None

    @property
    def step_ms(self) -> float | None:
        """Milliseconds per training step: the median of the logged values."""
        return _median(self.scalars.train.get('time'), 1000)

    @property
    def waiting(self) -> float | None:
        """The fraction of a step spent waiting for data, from medians."""
        waits = _median(self.scalars.train.get('data_time'), 1000)
        return waits / self.step_ms if waits is not None and self.step_ms else None

    @property
    def memory(self) -> float | None:
        """Peak GPU memory in the log, in megabytes."""
        return max(self.scalars.train.get('memory', {}).values(), default=None)

    def score(self, key: str) -> Curve:
        """A score over the training; empty if there is none."""
        return self.scalars.val.get(key, {})

    @property
    def unit_of_scores(self) -> Literal['epoch', 'iteration']:
        """The unit of its scores' steps: its loop's, if not the logger's."""
        logger = (self.settings.get('default_hooks') or {}).get('logger') or {}
        by_epoch = logger.get('log_metric_by_epoch', True)
        return self.unit if by_epoch else 'iteration'

    def last(self, key: str) -> float | None:
        """The last score, which may not be finite; None if there is none."""
        curve = self.score(key)
        return curve[max(curve)] if curve else None

    def best(self, key: str) -> float | None:
        """The best score that is finite; None if there is none."""
        known = filter(math.isfinite, self.score(key).values())
        return (min if self.is_less_better(key) else max)(known, default=None)

    def is_less_better(self, key: str) -> bool:
        """Whether a lower score is better: only if its config or its name says so."""
        return rule_of(key, self.settings) == 'less'


def last_checkpoint(folder: Path) -> Path | None:
    """Where the last checkpoint of a training was saved; None if none was."""
    noted = folder / LAST
    if not noted.is_file():
        return None
    saved = Path(noted.read_text().strip())
    # The folder may have been moved since, or its config saves elsewhere.
    here = folder / saved.name
    return saved if saved.is_file() and not here.is_file() else here


def read_run(folder: Path) -> Run:
    """Read the files of a training from its work directory.

    Raises:
        FileNotFoundError: If there is no such folder, or no log in it.
        ValueError: If a log or the dumped config cannot be read.
    """
    if not folder.is_dir():
        what = 'is a file' if folder.exists() else 'there is no such folder'
        raise FileNotFoundError(f'{folder}: {what}')
    logs = sorted(folder.glob(LOGS))
    if not logs:
        raise FileNotFoundError(
            f"{folder} holds no log ({LOGS}, which MMEngine's LocalVisBackend writes)"
        )
    texts = tuple(sorted(path for log in logs for path in log.parents[1].glob('*.log')))
    dumped = list(filter(Path.is_file, (log.with_name('config.py') for log in logs)))
    return Run(folder, read_sessions(dumped), read_scalars(logs), texts)


def _median(curve: Curve | None, factor: float) -> float | None:
    return factor * statistics.median(curve.values()) if curve else None
