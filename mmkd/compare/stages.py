"""The trainings of a comparison in stages, of which each needs the one before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmkd.compare.comparison import RECORD
from mmkd.compare.saved import gather_lines, save_line
from mmkd.runs.training import Training
from mmkd.runs.trainings import train_all


@dataclass
class Stages:
    """Runs the trainings of each stage, notes what could run, or runs one of them.

    Attributes:
        out: The folder of the comparison.
        methods: Its methods, in the order of their lines.
        jobs: Trainings at a time.
        only: The folder, in ``out``, of the only training to run.
        plan: Whether to run nothing, and to note what could run now.
        dry: Whether to run nothing.
        planned: The folders, in ``out``, of the trainings that could.
        settings: The config that names the score of all, see :func:`save_line`.
    """

    out: Path
    methods: Sequence[str]
    jobs: int = 1
    only: str | None = None
    plan: bool = False
    dry: bool = False
    planned: list[str] = field(default_factory=list)
    settings: Mapping[str, Any] | None = None
    _offered: list[str] = field(default_factory=list)
    _without_score: list[str] = field(default_factory=list)

    def run(self, trainings: Sequence[Training], may_diverge: bool = False) -> bool:
        """Do what is wanted with the trainings of a stage.

        Args:
            trainings: The stage's trainings.
            may_diverge: Whether one that has diverged is as good as done.

        Returns:
            Whether the next stage can begin.

        Raises:
            RuntimeError: If a training fails or its score is not finite, after the
                others have run.
            ValueError: If a training is done with another command or config.
        """
        names = {str(each.work_dir.relative_to(self.out)): each for each in trainings}
        missing = [
            name for name, each in names.items() if not each.is_settled(may_diverge)
        ]
        self._offered += names
        if self.only in names:
            self._train([names[self.only]], self._keep, may_diverge)
            return False
        if self.plan:
            self.planned += missing
        if self.plan or self.only is not None or self.dry:
            return not missing
        for each in trainings:
            if each.is_done:
                self._keep(each)
        gather_lines(self.out, self.methods)
        self._train(trainings, self._collect, may_diverge)
        return True

    def _train(
        self,
        trainings: Sequence[Training],
        then: Callable[[Training], None],
        may_diverge: bool,
    ) -> None:
        failures: list[str] = []
        try:
            train_all(trainings, self.jobs, None, then, may_diverge)
        except RuntimeError as error:
            failures.append(str(error))
        if failures := failures + self._without_score:
            raise RuntimeError('\n'.join(failures))

    def check(self) -> None:
        """Check that the only training to run was in one of the stages so far.

        Raises:
            ValueError: If it was not.
        """
        if self.only is not None and self.only not in self._offered:
            raise ValueError(
                f'--only {self.only}: the runs are {", ".join(self._offered)}. '
                'Others follow once these are done.'
            )

    def _keep(self, training: Training) -> None:
        # Runs to choose settings by, and records, have no line.
        if training.work_dir.parent == self.out and training.name != RECORD:
            try:
                save_line(training, self.settings)
            except FloatingPointError as error:
                self._without_score.append(str(error))

    def _collect(self, training: Training) -> None:
        self._keep(training)
        gather_lines(self.out, self.methods)
