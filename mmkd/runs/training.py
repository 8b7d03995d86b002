"""A training in a process of its own, which runs only once."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmkd.checkpoints.identity import differences, name_of
from mmkd.nearest import listed
from mmkd.resilience.files import is_free, whole_or_nothing
from mmkd.resilience.resume import LAST
from mmkd.resilience.work_dir import RECORD
from mmkd.runs.processes import call, environment_with
from mmkd.runs.texts import was_stopped

BEGUN = 'begun.json'
"""The file that says with what a training has begun, which its checkpoints continue."""

MARK = 'done.json'
"""The file that says with what a training has finished."""

NOT_FINITE = 'diverged.json'
"""The file that says with what it has diverged."""

PLACES = ('--data-root', '--out', '--recorded', '--teacher', '--work-dir')
"""Options whose value is a path, whether or not it exists any more."""

DIVERGED = 3
"""The exit code of a training whose losses or weights are no longer finite."""


@dataclass(frozen=True)
class Training:
    """A training.

    Attributes:
        name: Its name, to distinguish it from others.
        seed: Its seed.
        command: Arguments of the Python interpreter.
        work_dir: Its folder.
        facts: What its result depends on besides the command, such as the content of
            its config; plain values. None for what can no longer be found out, and
            is not compared.
        home: A folder that may be moved with everything in it; None for the one that
            its own folder is in.
    """

    name: str
    seed: int
    command: tuple[str, ...]
    work_dir: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    home: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has finished, with exactly this command and these facts.

        Raises:
            ValueError: If it has finished with others, or begun with others and would
                resume from a checkpoint of theirs.
        """
        resumes = (self.work_dir / LAST).exists()
        for mark in (MARK, BEGUN) if resumes else (MARK,):
            path = self.work_dir / mark
            changed = path.exists() and self.told(json.loads(path.read_text()))
            if changed:
                raise ValueError(
                    f'{self.work_dir} holds the training of another command or config: '
                    f'{changed}. Choose another folder, or remove this one.'
                )
        return self.has_finished

    def told(self, known: Mapping[str, Any]) -> str:
        """How this training differs from another's identity; empty if it does not.

        Args:
            known: The other :attr:`identity`.
        """
        own = self.identity
        # Facts that are added later are not in every mark.
        unknown = {name for name in own if None in (own[name], known.get(name))}
        then, now = (
            {name: fact for name, fact in facts.items() if name not in unknown}
            for facts in (known, own)
        )
        changed = differences(then, now)
        told = [f'{place} was {was} and is {now}' for place, was, now in changed]
        return listed(told, 3, '; ') if told else ''

    @property
    def has_finished(self) -> bool:
        """Whether a training has finished in its folder, with any command."""
        return (self.work_dir / MARK).exists()

    @property
    def has_diverged(self) -> bool:
        """Whether it has diverged with exactly this command and these facts.

        Repeating it would end the same, unlike one that failed for lack of memory, say.
        """
        mark = self.work_dir / NOT_FINITE
        return mark.exists() and not self.told(json.loads(mark.read_text()))

    def is_settled(self, may_diverge: bool) -> bool:
        """Whether there is nothing left to run.

        Args:
            may_diverge: Whether one that has diverged is not run again.
        """
        return self.is_done or (may_diverge and self.has_diverged)

    @property
    def identity(self) -> dict[str, Any]:
        """Command and facts, the same wherever they are started from."""
        home = (self.home or self.work_dir.parent).resolve()
        words = []
        for before, word in pairwise(self.command):
            # Names of methods and pairs are not paths, even if there is such a folder.
            named = before.startswith('--') and before != '--method'
            path = Path(os.path.expanduser(word)).resolve()
            located = before in PLACES and '://' not in word
            if path.is_relative_to(home):
                word = str(path.relative_to(home))
            elif located or (
                (named or os.sep in word or path.suffix) and os.path.exists(path)
            ):
                word = str(path)
            words.append(word)
        facts = {'command': ' '.join(words), **self.facts}
        return dict(json.loads(json.dumps(facts, default=name_of)))

    def run(self, threads: int | None = None) -> None:
        """Train, or continue an interrupted training; do nothing if it is done.

        Args:
            threads: Number of PyTorch's threads; None does not change it.

        Raises:
            RuntimeError: If it fails or is stopped; the message names the file with
                its output.
            ValueError: See :attr:`is_done`.
        """
        if self.is_done:
            return
        self.work_dir.mkdir(parents=True, exist_ok=True)
        if not self._is_in_use:
            self._mark(BEGUN)
        output = self.work_dir / 'output.txt'
        with output.open('a') as file:
            code = call(
                [sys.executable, *self.command], file, environment_with(threads)
            )
        if code == DIVERGED:
            self._mark(NOT_FINITE)
        if code or was_stopped(self.work_dir):
            raise self.error('failed' if code else 'was stopped', output)
        self._mark(MARK)

    @property
    def _is_in_use(self) -> bool:
        """Whether another process trains in its folder, and keeps this one out."""
        record = self.work_dir / RECORD
        return record.exists() and not is_free(record)

    def _mark(self, name: str) -> None:
        with whole_or_nothing(self.work_dir / name) as partial:
            partial.write_text(json.dumps(self.identity))

    def error(self, what: str, output: Path) -> RuntimeError:
        """An error that names the file with its output, and ends with its last lines.

        Args:
            what: What happened to it.
            output: The file.
        """
        last = ''.join(output.read_text().strip().splitlines(True)[-3:])
        return RuntimeError(
            f'{" ".join(self.command)} {what}, see {output}. It ends with:\n{last}'
        )
