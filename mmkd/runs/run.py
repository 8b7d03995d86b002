"""One training, from the files that it has left."""

import re
import statistics
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mmkd.resilience.resume import LAST, NAMES
from mmkd.runs.scalars import LOGS, Curve, Scalars, read_scalars
from mmkd.runs.settings import read_dumped

STAMP = '%Y/%m/%d %H:%M:%S'
"""How MMEngine's text logs begin a line."""

STUDENT = 'student.pth'
"""What a distillation ends with, unless told else."""

EXPORTED = 'The student stands in '
"""What :class:`mmkd.engine.hooks.ExportStudentHook` says of it."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        folder: Its work directory.
        settings: Its config, as plain data; empty where none was dumped.
        scalars: What it has logged.
        texts: Its text logs, one a session.
    """

    folder: Path
    settings: dict[str, Any]
    scalars: Scalars
    texts: tuple[Path, ...]

    @property
    def methods(self) -> dict[str, Any] | None:
        """The methods that it distils with; None of a plain training."""
        model = self.settings.get('model')
        if not isinstance(model, dict) or 'student' not in model:
            return None
        return {k: v for k, v in (model.get('methods') or {}).items() if v}

    @property
    def student(self) -> dict[str, Any]:
        """The config of what is trained, as far as it is no path of another file."""
        model = self.settings.get('model')
        model = model if isinstance(model, dict) else {}
        student = model.get('student', model)
        return student if isinstance(student, dict) else {}

    @cached_property
    def seed(self) -> int | None:
        """Its seed, from the config or, where MMEngine drew one, from the log."""
        seed = (self.settings.get('randomness') or {}).get('seed')
        if seed is None:
            found = re.search(r'^ +seed: (\d+)$', self._head, re.MULTILINE)
            seed = int(found[1]) if found else None
        return seed if isinstance(seed, int) else None

    @cached_property
    def _head(self) -> str:
        """The beginning of the first text log that there is."""
        for path in self.texts:
            with path.open(errors='replace') as file:
                return file.read(1_000_000)
        return ''

    @property
    def start(self) -> str:
        """What stands in the text log before the first iteration."""
        return self._head.partition(' - Epoch(train)')[0].partition(' - Iter(train)')[0]

    @property
    def unit(self) -> Literal['epoch', 'iteration']:
        """What scores are counted by."""
        return 'epoch' if 'max_epochs' in self._train_cfg else 'iteration'

    @property
    def _train_cfg(self) -> dict[str, Any]:
        train = self.settings.get('train_cfg')
        return train if isinstance(train, dict) else {}

    @property
    def length(self) -> int | None:
        """Epochs or iterations that it is to have."""
        key = 'max_epochs' if self.unit == 'epoch' else 'max_iters'
        length = self._train_cfg.get(key)
        return length if isinstance(length, int) else None

    @property
    def iterations(self) -> int:
        """The last iteration that was logged."""
        curves = self.scalars.train.values()
        return max((step for curve in curves for step in curve), default=0)

    @property
    def reached(self) -> int:
        """The last epoch or iteration that was logged."""
        if self.unit == 'iteration':
            return self.iterations
        return int(max(self.scalars.train.get('epoch', {}).values(), default=0))

    @property
    def finished(self) -> bool:
        """Whether it came to its end, by what it has left there."""
        if self.length is None or self._exported:
            return True
        ends = [name.format(self.length) for name in NAMES]
        if any((self.folder / end).exists() for end in ends):
            return True
        counted = list(self.scalars.val.values())
        if self.unit == 'iteration':
            counted += self.scalars.train.values()
        return any(self.length in curve for curve in counted)

    @cached_property
    def _exported(self) -> bool:
        """Whether its last session, and no one before it, wrote the student."""
        return bool(self.texts) and EXPORTED in self.texts[-1].read_text(
            errors='replace'
        )

    @property
    def checkpoint(self) -> Path | None:
        """Its student, or else the last checkpoint, if it is still there."""
        student = self.folder / STUDENT
        last = last_checkpoint(self.folder) or student
        there = (student, last) if self._exported else (last, student)
        return next(filter(Path.is_file, there), None)

    @cached_property
    def minutes(self) -> float | None:
        """Wall time of all sessions, between the first and last line of each log."""
        spans = list(filter(None, map(_span, self.texts)))
        return sum(spans) / 60 if spans else None

    @property
    def step_ms(self) -> float | None:
        """Milliseconds of a training step: the median of what was logged."""
        return _median(self.scalars.train.get('time'), 1000)

    @property
    def waiting(self) -> float | None:
        """The share of a step in which it waits for data: of medians."""
        waits = _median(self.scalars.train.get('data_time'), 1000)
        return waits / self.step_ms if waits is not None and self.step_ms else None

    @property
    def memory(self) -> float | None:
        """The most megabytes on a GPU that were logged."""
        return max(self.scalars.train.get('memory', {}).values(), default=None)

    def score(self, key: str) -> Curve:
        """A score over the training; empty where there is none."""
        return self.scalars.val.get(key, {})


def last_checkpoint(folder: Path) -> Path | None:
    """Where the last checkpoint of a training was saved; None if none was."""
    noted = folder / LAST
    # The folder may have been moved since.
    return folder / Path(noted.read_text().strip()).name if noted.is_file() else None


def read_run(folder: Path) -> Run:
    """Read what a training has left in its work directory.

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
    settings = read_dumped(dumped[-1]) if dumped else {}
    return Run(folder, settings, read_scalars(logs), texts)


def _median(curve: Curve | None, factor: float) -> float | None:
    return factor * statistics.median(curve.values()) if curve else None


def _span(text: Path) -> float | None:
    """Seconds between the first and the last line of a log."""
    times = []
    for line in text.read_text(errors='replace').splitlines():
        try:
            times.append(datetime.strptime(line[:19], STAMP))
        except ValueError:
            continue
    return (times[-1] - times[0]).total_seconds() if times else None
