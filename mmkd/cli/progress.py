"""How far a command is, where its output is a terminal."""

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from mmkd.cli.console import console_handlers
from mmkd.runs.scores import SCORES

IN_THE_BAR = ('after_train_iter', 'after_val_iter', 'after_test_iter')
"""What MMEngine's LoggerHook logs of single steps."""

DISTILL = 'distill.'
CALLED = {'val': 'validation', 'test': 'test'}
"""What evaluations are called on their bars."""

SECONDS = 0.5
"""Between two drawings of the bar."""


@contextmanager
def progress_bar(runner: Runner, terminal: Console | None = None) -> Iterator[None]:
    """Show a bar with the time left, losses and the best score while a runner runs.

    Where the output is no terminal, MMEngine's lines stand in its place.

    Args:
        runner: The runner; a hook is registered that shows the bar.
        terminal: Where to show it; None for the standard output.
    """
    terminal = terminal or Console(file=sys.stdout)
    if not is_main_process() or not terminal.is_terminal:
        yield
        return
    handlers = console_handlers(runner.logger)
    with Progress(
        TextColumn('{task.description}'),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn('{task.fields[losses]}'),
        TextColumn('{task.fields[score]}'),
        console=terminal,
        expand=True,
        # A thread that draws could hold the lock that a data loader's worker, forked
        # from this process, waits for.
        auto_refresh=False,
    ) as progress:
        runner.register_hook(ProgressHook(progress), 'LOWEST')
        streams = [handler.stream for handler in handlers]
        for handler in handlers:
            # The bar's own stream writes above it.
            handler.setStream(sys.stdout)
            handler.addFilter(_is_no_step)
        try:
            yield
        finally:
            for handler, stream in zip(handlers, streams, strict=True):
                handler.removeFilter(_is_no_step)
                handler.setStream(stream)


def _is_no_step(record: logging.LogRecord) -> bool:
    is_hook = Path(record.pathname).name == 'logger_hook.py'
    return not (is_hook and record.funcName in IN_THE_BAR)


class ProgressHook(Hook):
    """Tells a progress bar how far a runner is.

    Losses are read when MMEngine's ``LoggerHook`` logs them, so that the bar
    waits for no GPU by itself.

    Args:
        progress: The bars, with the fields ``losses`` and ``score``.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._best: dict[str, float] = {}
        self._drawn = -SECONDS
        self._interval = 50

    def before_train(self, runner: Runner) -> None:
        """Begin at where the training is, which may have been resumed."""
        loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
        if loggers:
            self._interval = loggers[0].interval
        self._begin('training', runner.max_iters, runner.iter)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Count an iteration, and show its losses now and then."""
        fields = {}
        if outputs and self.every_n_inner_iters(batch_idx, self._interval):
            fields['losses'] = losses_text(outputs)
        self._count('training', runner.iter + 1, **fields)

    def after_train(self, runner: Runner) -> None:
        """End the bar where it is."""
        self.progress.stop_task(self._tasks['training'])

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Take the second bar away, and show the score beside the best one."""
        self.progress.remove_task(self._tasks.pop('validation'))
        if 'training' in self._tasks:
            self._count('training', runner.iter, score=self._score(metrics or {}))

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Show a bar of its own for an evaluation."""
        if mode != 'train':
            self._begin(CALLED[mode], len(getattr(runner, f'{mode}_dataloader')))

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
        mode: str = 'train',
    ) -> None:
        """Count a batch of an evaluation."""
        self._count(CALLED[mode], batch_idx + 1)

    def _begin(self, name: str, total: int, completed: int = 0) -> None:
        self._tasks[name] = self.progress.add_task(
            name, total=total, completed=completed, losses='', score=''
        )

    def _count(self, name: str, completed: int, **fields: Any) -> None:
        now = time.monotonic()
        is_due = now - self._drawn > SECONDS
        if is_due:
            self._drawn = now
        self.progress.update(
            self._tasks[name], completed=completed, refresh=is_due, **fields
        )

    def _score(self, metrics: Mapping[str, Any]) -> str:
        known = [name for name in SCORES if name in metrics]
        if not known:
            return ''
        name, value = known[0], float(metrics[known[0]])
        self._best[name] = max(value, self._best.get(name, value))
        return f'{name} {value:.2f}, best {self._best[name]:.2f}'


def losses_text(outputs: Mapping[str, Any]) -> str:
    """The losses of a step, in a few words.

    Args:
        outputs: What a training step returned, by the names of the log.
    """
    shown = {
        name.removeprefix(DISTILL).removesuffix('.loss'): float(value)
        for name, value in outputs.items()
        if name in ('loss', 'task_loss') or name.startswith(DISTILL)
    }
    return ' '.join(f'{name} {value:.3g}' for name, value in shown.items())
