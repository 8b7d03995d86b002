"""What is compared: methods on one pair, each with several seeds, all else equal."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

from mmengine.config import Config

from mmkd.compare.length import length_options, unit_of
from mmkd.compare.trial import SOON, timed_length
from mmkd.config.experiments import NONE, TOGETHER, load_config, set_methods
from mmkd.config.sources import methods_of
from mmkd.records import read_manifest
from mmkd.runs.training import Training

TEACHER = 'teacher'
"""Name of the teacher's training."""


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
        data: Options that locate the data, for every command including the teacher's.
        options: Options of ``mmkd train`` for all trainings but the teacher's.
        teaching: Additional options for the distillations.
        lengths: By method, ``'epochs'`` or ``'iterations'``, and how many; methods
            that are not listed keep the pair's length.
        recorded: The record that distillations read; the student alone sees its views.
        chosen: By method, the settings chosen for it, by key: those of the method
            itself in the form of ``--set``, others in that of ``--cfg-options``.
    """

    pair: str
    methods: Sequence[str]
    seeds: int
    out: Path
    tools: Path
    data: Sequence[str] = ()
    options: Sequence[str] = ()
    teaching: Sequence[str] = ()
    lengths: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    recorded: Path | None = None
    chosen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def trainings(self) -> list[Training]:
        """All trainings, seed by seed, so that comparisons are complete early.

        Raises:
            ValueError: If a method is unknown, or the pair's length has another unit.
        """
        lengths = {method: self.length_of(method) for method in self.methods}
        return [
            self.training(
                method,
                seed,
                self.out / f'{method}_seed{seed}',
                lengths[method],
                self.chosen.get(method, {}),
            )
            for seed in range(self.seeds)
            for method in self.methods
        ]

    def teachers_training(self) -> Training:
        """The teacher's training, from its own config.

        Raises:
            ValueError: If the pair names no training config for it.
        """
        teacher = load_config(self.pair).model.get('teacher') or {}
        config = teacher.get('config')
        if not isinstance(config, str) or 'train_cfg' not in load_config(config):
            raise ValueError(
                f'--train-teacher: the teacher of {self.pair} is {config!r}, which is '
                'not a training config. Train it yourself and give --teacher.'
            )
        folder = self.out / TEACHER
        command = [str(self.tools / 'train.py'), config, '--resume']
        command += ['--work-dir', str(folder), *self.data]
        command += ['--cfg-options', 'randomness.seed=0']
        return Training(TEACHER, 0, tuple(command), folder)

    def recording(self, folder: Path) -> Training:
        """The command that records the teacher, for all methods at once.

        Args:
            folder: The folder of the record.
        """
        apart = (method.split(TOGETHER) for method in self.methods if method != NONE)
        names = list(dict.fromkeys(chain.from_iterable(apart)))
        command = [str(self.tools / 'record.py'), self.pair, '--method', *names]
        command += ['--out', str(folder), *self.data, *self.options, *self.teaching]
        return Training('record', 0, tuple(command), self.out / 'recording')

    def lasting(self, minutes: float) -> dict[str, tuple[str, int]]:
        """The length of each method's training for equal minutes, from timed trials.

        The lengths are saved in the folder: a second call returns the same ones.

        Args:
            minutes: Minutes per training.

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
        folder = self.out / 'trials' / method
        return self.training(method, 0, folder, SOON)

    def training(
        self,
        method: str,
        seed: int,
        folder: Path,
        changes: Sequence[str] = (),
        chosen: Mapping[str, str] | None = None,
    ) -> Training:
        """The training of one method with one seed.

        Args:
            method: One of the methods.
            seed: Its seed.
            folder: Its work directory.
            changes: Further ``--cfg-options``.
            chosen: Settings, see :attr:`chosen`.
        """
        command = [str(self.tools / 'train.py'), self.pair]
        command += ['--method', *method.split(TOGETHER), '--resume']
        command += ['--work-dir', str(folder), *self.data, *self.options]
        if method != NONE:
            command += self.teaching
        if self.recorded is not None:
            command += self._views(method, self.recorded)
        settings = {key: f'{key}={value}' for key, value in (chosen or {}).items()}
        own = [settings.pop(key) for key in self.own(method, settings)]
        command += ['--set', *own] if own else []
        command += ['--cfg-options', f'randomness.seed={seed}', *changes]
        return Training(method, seed, (*command, *settings.values()), folder)

    def own(self, method: str, keys: Iterable[str]) -> list[str]:
        """Select the settings that belong to a method itself.

        Args:
            method: One of the methods.
            keys: Keys of settings.
        """
        names = methods_of(_config(self.pair, method))
        return [key for key in keys if key.partition('.')[0] in names]

    def _views(self, method: str, record: Path) -> list[str]:
        if method != NONE:
            return ['--recorded', str(record)]
        views = read_manifest(record).views
        return ['--views', str(views['count']), '--view-seed', str(views['seed'])]

    def length_of(self, method: str) -> list[str]:
        """The options that give a method its training length.

        Args:
            method: One of the methods.

        Raises:
            ValueError: See :meth:`trainings`.
        """
        known = self.lengths.get(method)
        return length_options(_config(self.pair, method), *known) if known else []


@cache
def _config(pair: str, method: str) -> Config:
    """The config of a method, read once for all seeds and settings."""
    cfg = load_config(pair)
    set_methods(cfg, [method])
    return cfg
