"""What the text logs of a training say."""

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from mmkd.resilience.stop_signal import STOPPED
from mmkd.resilience.training_guard import DIVERGED

STAMP = '%Y/%m/%d %H:%M:%S'
"""Time format at the start of a line in MMEngine's text logs."""

TEXTS = '*/*.log'
"""MMEngine's text logs in a work directory, one per session."""

EXPORTED = 'The student is saved in '
"""What :class:`mmkd.engine.hooks.ExportStudentHook` logs about it."""

EPOCH = re.compile(r'Epoch\(train\)\s+\[\d+\]\[\s*\d+/(\d+)\]')
"""How MMEngine logs a step of an epoch, and how many the epoch has."""

ENDED_EARLY = (
    'the monitored metric did not improve in the last ',
    'Stopping threshold reached: ',
    ' is infinite. Previous best value was ',
    'The training stops here.',
)
"""What MMEngine's ``EarlyStoppingHook``, the first three, and
:class:`mmkd.engine.hooks.StopOnCollapseHook` log when they end a training."""


NOT_FINITE = re.compile(rf'- ((?:iteration \d+: |not finite )[^\n]*)\. {DIVERGED}')
"""How :class:`mmkd.resilience.TrainingGuardHook` logs what is not finite."""


def read_last(texts: tuple[Path, ...]) -> str:
    """The last of some logs; empty if there is none."""
    return texts[-1].read_text(errors='replace') if texts else ''


def was_stopped(folder: Path) -> bool:
    """Whether the last session of a training was ended by SIGTERM.

    Such a training exits like one that has finished.

    Args:
        folder: Its work directory; without a log, it was not.
    """
    return STOPPED in read_last(tuple(sorted(folder.glob(TEXTS))))


def steps_of_an_epoch(texts: Iterable[Path]) -> int | None:
    """How many iterations an epoch has; None if none was logged."""
    found = (EPOCH.search(text.read_text(errors='replace')) for text in texts)
    return next((int(each[1]) for each in found if each), None)


def span(text: Path) -> float | None:
    """Seconds between the first and the last line of a log."""
    times = []
    for line in text.read_text(errors='replace').splitlines():
        try:
            times.append(datetime.strptime(line[:19], STAMP))
        except ValueError:
            continue
    return (times[-1] - times[0]).total_seconds() if times else None
