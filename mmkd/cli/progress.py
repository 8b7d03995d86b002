"""Progress of a command, if its output is a terminal."""

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
"""Methods of MMEngine's LoggerHook that log single steps."""

DISTILL = 'distill.'
CALLED = {'val': 'validation', 'test': 'test'}
"""Names of evaluations on their bars."""

SECONDS = 0.5
"""Minimum time between two updates of the bar."""


@contextmanager
def progress_bar(runner: Runner, terminal: Console | None = None) -> Iterator[None]:
    """Show a bar with the time left, losses and the best score while a runner runs.

    If the output is not a terminal, MMEngine's log lines remain instead.

    Args:
        runner: The runner; a hook that shows the bar is registered with it.
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
        # A refresh thread could hold a lock while a data loader worker is forked, which
        # would then wait for it forever.
        auto_refresh=False,
    ) as progress:
        runner.register_hook(ProgressHook(progress), 'LOWEST')
        streams = [handler.stream for handler in handlers]
        for handler in handlers:
            # The progress bar's own stream writes above the bar.
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
    """Updates a progress bar while a runner runs.

    Losses are read when MMEngine's ``LoggerHook`` logs them, so that the bar
    does not block on the GPU by itself.

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
        """Start at the current iteration, as the training may have been resumed."""
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
        """Count an iteration, and update the losses at the logging interval."""
        fields = {}
        if outputs and self.every_n_inner_iters(batch_idx, self._interval):
            fields['losses'] = losses_text(outputs)
        self._count('training', runner.iter + 1, **fields)

    def after_train(self, runner: Runner) -> None:
        """Stop the bar where it is."""
        self.progress.stop_task(self._tasks['training'])

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Remove the validation bar, and show the score next to the best one."""
        self.progress.remove_task(self._tasks.pop('validation'))
        if 'training' in self._tasks:
            self._count('training', runner.iter, score=self._score(metrics or {}))

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Show a separate bar for an evaluation."""
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
    """The losses of a step as short text.

    Args:
        outputs: The results of a training step, by log key.
    """
    shown = {
        name.removeprefix(DISTILL).removesuffix('.loss'): float(value)
        for name, value in outputs.items()
        if name in ('loss', 'task_loss') or name.startswith(DISTILL)
    }
    return ' '.join(f'{name} {value:.3g}' for name, value in shown.items())
