"""A training in a process of its own, which runs only once."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mmkd.resilience.files import whole_or_nothing


@dataclass(frozen=True)
class Training:
    """A training.

    Attributes:
        name: Its name, to distinguish it from others.
        seed: Its seed.
        command: Arguments of the Python interpreter.
        work_dir: Its folder.
    """

    name: str
    seed: int
    command: tuple[str, ...]
    work_dir: Path

    @property
    def is_done(self) -> bool:
        """Whether it has finished, with exactly this command.

        Raises:
            ValueError: If it has finished with another one.
        """
        if not self._mark.exists():
            return False
        known = self._mark.read_text().strip()
        if known != ' '.join(self.command):
            raise ValueError(
                f'{self.work_dir} holds the training of another command:\n{known}\n'
                f'Choose another folder for\n{" ".join(self.command)}'
            )
        return True

    @property
    def _mark(self) -> Path:
        return self.work_dir / 'done.txt'

    def run(self, threads: int | None = None) -> None:
        """Train, or continue an interrupted training; do nothing if it is done.

        Args:
            threads: Number of PyTorch's threads; None does not change it.

        Raises:
            RuntimeError: If it fails; the message names the file with its output.
            ValueError: See :attr:`is_done`.
        """
        if self.is_done:
            return
        self.work_dir.mkdir(parents=True, exist_ok=True)
        output = self.work_dir / 'output.txt'
        environment = dict(os.environ)
        if threads is not None:
            environment['OMP_NUM_THREADS'] = str(threads)
        with output.open('a') as file:
            done = subprocess.run(
                [sys.executable, *self.command],
                stdout=file,
                stderr=file,
                env=environment,
                check=False,
            )
        if done.returncode:
            last = ''.join(output.read_text().strip().splitlines(True)[-3:])
            raise RuntimeError(
                f'{" ".join(self.command)} failed, see {output}. It ends with:\n{last}'
            )
        with whole_or_nothing(self._mark) as partial:
            partial.write_text(' '.join(self.command))


def train_all(
    trainings: Sequence[Training], jobs: int, called: Mapping[str, str] | None = None
) -> None:
    """Run the trainings that are not done, and print the progress.

    Args:
        trainings: All of them.
        jobs: How many run at a time; if several do, each uses one thread.
        called: Names to print instead of the trainings' own.
    """
    missing = [each for each in trainings if not each.is_done]
    print(f'{len(missing)} of {len(trainings)} trainings to do', flush=True)

    def train(each: Training) -> None:
        each.run(threads=1 if jobs > 1 else None)
        name = (called or {}).get(each.name, each.name)
        print(f'done: {name}, seed {each.seed}', flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(train, missing):
            pass
