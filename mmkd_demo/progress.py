"""Progress of a training in one line, with the time that is left."""

import time
from typing import Any, TextIO

from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ProgressHook(Hook):
    """Show a bar on a terminal, and a line now and then elsewhere.

    Args:
        title: What is trained.
        stream: Where to write.
        interval: Seconds between two lines where no terminal is attached.
    """

    priority = 'VERY_LOW'

    def __init__(self, title: str, stream: TextIO, interval: float = 30.0) -> None:
        self.title = title
        self.stream = stream
        self.interval = interval
        self._bar: Progress | None = None

    def before_train(self, runner: Runner) -> None:
        """Begin."""
        self._begin = self._last = time.monotonic()
        if not self.stream.isatty():
            return
        self._bar = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn('left'),
            TimeRemainingColumn(),
            console=Console(file=self.stream),
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._task = self._bar.add_task(self.title, total=runner.max_iters)
        self._bar.start()

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        """Advance."""
        done = runner.iter + 1
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
            return
        now = time.monotonic()
        if now - self._last >= self.interval:
            self._last = now
            left = (now - self._begin) / done * (runner.max_iters - done)
            print(
                f'{self.title}: {done}/{runner.max_iters} iterations, '
                f'{left:.0f} s left',
                file=self.stream,
                flush=True,
            )

    def after_train(self, runner: Runner) -> None:
        """End."""
        self.close()

    def close(self) -> None:
        """Give the terminal back, also after a training that failed."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
