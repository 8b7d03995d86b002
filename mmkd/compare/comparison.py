"""What is compared: methods on one pair, each with several seeds, all else equal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from mmkd.compare.length import length_options, unit_of
from mmkd.compare.trial import SOON, timed_length
from mmkd.config.experiments import NONE, load_config, set_methods
from mmkd.records import read_manifest
from mmkd.runs.training import Training

TOGETHER = '+'
"""Between methods that are used together."""


@dataclass(frozen=True)
class Comparison:
    """Trainings of one pair.

    Attributes:
        pair: A pair's name, or the config of a distillation.
        methods: Each one of ``configs/_base_/methods``, several joined by ``+``, or
            ``none`` for the student alone.
        seeds: How many, from 0.
        out: The folder for everything.
        tools: The folder of the commands.
        options: What every training is given, for ``mmkd train``.
        teaching: What the distillations are given beside that.
        lengths: By method ``'epochs'`` or ``'iterations'``, and how many; the pair's
            own for those that it does not name.
        recorded: The record that distillations read; the student alone sees its views.
    """

    pair: str
    methods: Sequence[str]
    seeds: int
    out: Path
    tools: Path
    options: Sequence[str] = ()
    teaching: Sequence[str] = ()
    lengths: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    recorded: Path | None = None

    def trainings(self) -> list[Training]:
        """All of them, seed after seed, so that each comparison is whole early.

        Raises:
            ValueError: If a method is unknown, or the pair counts another length.
        """
        lengths = {method: self._length(method) for method in self.methods}
        return [
            self._training(method, seed, lengths[method])
            for seed in range(self.seeds)
            for method in self.methods
        ]

    def recording(self, folder: Path) -> Training:
        """What records the teacher, for all methods at once.

        Args:
            folder: Where to.
        """
        apart = (method.split(TOGETHER) for method in self.methods if method != NONE)
        names = list(dict.fromkeys(chain.from_iterable(apart)))
        command = [str(self.tools / 'record.py'), self.pair, '--method', *names]
        command += ['--out', str(folder), *self.options, *self.teaching]
        return Training('record', 0, tuple(command), self.out / 'recording')

    def lasting(self, minutes: float) -> dict[str, tuple[str, int]]:
        """How long each method is to train for the same minutes, from timed trials.

        What was found is kept in the folder: a second call gives the same.

        Args:
            minutes: Of each training.

        Raises:
            RuntimeError: If a trial fails.
            ValueError: If the folder's lengths are for other minutes.
        """
        path = self.out / 'lengths.json'
        known = json.loads(path.read_text()) if path.exists() else {}
        if known.setdefault('minutes', minutes) != minutes:
            raise ValueError(
                f'{path} has lengths for {known["minutes"]:g} minutes, not for '
                f'{minutes:g}: choose another folder.'
            )
        unit = unit_of(load_config(self.pair).train_cfg)
        lengths = known.setdefault(unit, {})
        for method in self.methods:
            if method not in lengths:
                lengths[method] = timed_length(self._trial(method), minutes, unit)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(known, indent=1))
        return {method: (unit, lengths[method]) for method in self.methods}

    def _trial(self, method: str) -> Training:
        plain = self._training(method, 0, list(SOON))
        folder = self.out / 'trials' / method
        swapped = {str(plain.work_dir): str(folder)}
        command = tuple(swapped.get(word, word) for word in plain.command)
        return replace(plain, command=command, work_dir=folder)

    def _training(self, method: str, seed: int, length: list[str]) -> Training:
        folder = self.out / f'{method}_seed{seed}'
        command = [str(self.tools / 'train.py'), self.pair]
        command += ['--method', *method.split(TOGETHER), '--resume']
        command += ['--work-dir', str(folder), *self.options]
        if method != NONE:
            command += self.teaching
        if self.recorded is not None:
            command += self._views(method, self.recorded)
        command += ['--cfg-options', f'randomness.seed={seed}', *length]
        return Training(method, seed, tuple(command), folder)

    def _views(self, method: str, record: Path) -> list[str]:
        if method != NONE:
            return ['--recorded', str(record)]
        views = read_manifest(record).views
        return ['--views', str(views['count']), '--view-seed', str(views['seed'])]

    def _length(self, method: str) -> list[str]:
        cfg = load_config(self.pair)
        set_methods(cfg, method.split(TOGETHER))
        known = self.lengths.get(method)
        return length_options(cfg, *known) if known else []
