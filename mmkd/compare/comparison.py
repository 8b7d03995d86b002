"""What is compared: methods on one pair, each with several seeds, all else equal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from mmkd.compare.facts import facts_of_student, facts_of_teacher
from mmkd.compare.length import length_options
from mmkd.config.experiments import NONE, TOGETHER, load_config, set_methods
from mmkd.config.sources import methods_of
from mmkd.nearest import nearest_and_known
from mmkd.records import read_manifest
from mmkd.runs.training import Training

TEACHER = 'teacher'
"""Name of the teacher's training."""

RECORD = 'record'
"""Name of the teacher's recording, and of the folder of the record."""

NOT_IN_RECORD = ('--amp', '--auto-scale-lr')
"""Options of ``mmkd train`` that ``mmkd record`` does not have."""

CHANGED = '--cfg-options'

ITS_OWN = ('randomness.seed', 'work_dir')
"""Keys that a comparison sets in each training."""


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
        changes: ``KEY=VALUE`` for ``--cfg-options``, for the same.
        teaching: Additional options for the distillations.
        settings: ``METHOD.SETTING=VALUE``, for the methods that they belong to.
        lengths: By method, ``'epochs'`` or ``'iterations'``, and how many; methods
            that are not listed keep the pair's length.
        recorded: The record that distillations read; the student alone sees its views.
        chosen: By method, the settings chosen for it, by key: those of the method
            itself in the form of ``--set``, others in that of ``--cfg-options``.
        home: The folder that may be moved with all of it, if not that for everything.
    """

    pair: str
    methods: Sequence[str]
    seeds: int
    out: Path
    tools: Path
    data: Sequence[str] = ()
    options: Sequence[str] = ()
    changes: Sequence[str] = ()
    teaching: Sequence[str] = ()
    settings: Sequence[str] = ()
    lengths: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    recorded: Path | None = None
    chosen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    home: Path | None = None

    def check(self) -> None:
        """Check what can be before anything is trained.

        Raises:
            ValueError: If a method is unknown, a setting belongs to none of them, the
                pair's length has another unit, the pair has no validation, or the
                changes set what the comparison sets itself.
        """
        for key in ITS_OWN:
            if key in self.changed:
                raise ValueError(f'{CHANGED} {key}: the comparison sets that itself.')
        cfgs = {method: self.config_of(method) for method in self.methods}
        for cfg in cfgs.values():
            if cfg.get('val_dataloader') is None:
                raise ValueError(
                    f'{self.pair} has no val_dataloader: there is no score to compare '
                    'by.'
                )
        known = self.names
        for setting in self.settings:
            name = setting.partition('.')[0]
            if name not in known:
                raise ValueError(
                    f'--set {setting}: no method that is compared has it.'
                    f'{nearest_and_known(name, known)}'
                )
        self.trainings()

    def trainings(self) -> list[Training]:
        """All trainings, seed by seed, so that comparisons are complete early.

        Raises:
            ValueError: If a method is unknown, or the pair's length has another unit.
        """
        return [
            self.training(
                method,
                seed,
                self.out / f'{method}_seed{seed}',
                self.chosen.get(method, {}),
            )
            for seed in range(self.seeds)
            for method in self.methods
        ]

    def teachers_training(
        self, folder: Path | None = None, extra: Sequence[str] = ()
    ) -> Training:
        """The teacher's training, from its own config.

        Args:
            folder: Its work directory, if not the one of its name.
            extra: Further ``--cfg-options``.

        Raises:
            ValueError: If the pair names no training config for it.
        """
        teacher = load_config(self.pair).model.get('teacher') or {}
        config = teacher.get('config')
        cfg = load_config(config) if isinstance(config, str) else Config()
        if not isinstance(config, str) or 'train_cfg' not in cfg:
            raise ValueError(
                f'--train-teacher: the teacher of {self.pair} is {config!r}, which is '
                'not a training config. Train it yourself and give --teacher.'
            )
        folder = folder or self.out / TEACHER
        command = [str(self.tools / 'train.py'), config, '--resume']
        command += ['--work-dir', str(folder), *self.data]
        command += [CHANGED, 'randomness.seed=0', *extra]
        facts = dict(config=cfg.to_dict())
        return self._in_process(TEACHER, 0, command, folder, facts)

    def recording(self, folder: Path) -> Training:
        """The command that records the teacher, for all methods at once.

        Args:
            folder: The folder of the record.
        """
        apart = (method.split(TOGETHER) for method in self.methods if method != NONE)
        names = list(dict.fromkeys(chain.from_iterable(apart)))
        command = [str(self.tools / 'record.py'), self.pair, '--method', *names]
        command += ['--out', str(folder), *self.data, *self.teaching]
        command += [each for each in self.options if each not in NOT_IN_RECORD]
        command += ['--set', *self.settings] if self.settings else []
        command += [CHANGED, *self.changes] if self.changes else []
        facts = self._facts(TOGETHER.join(names))
        place = self.out / 'recording'
        return self._in_process(RECORD, 0, command, place, facts)

    def training(
        self,
        method: str,
        seed: int,
        folder: Path,
        chosen: Mapping[str, str] | None = None,
        extra: Sequence[str] = (),
    ) -> Training:
        """The training of one method with one seed.

        Args:
            method: One of the methods.
            seed: Its seed.
            folder: Its work directory.
            chosen: Settings, see :attr:`chosen`.
            extra: Further ``--cfg-options``.
        """
        command = [str(self.tools / 'train.py'), self.pair]
        command += ['--method', *method.split(TOGETHER), '--resume']
        command += ['--work-dir', str(folder), *self.data, *self.options]
        if method != NONE:
            command += self.teaching
        if self.recorded is not None:
            command += self._views(method, self.recorded)
        given = dict(map(_split, self.settings)) | dict(chosen or {})
        own = {key: given[key] for key in self.own(method, given)}
        if own:
            command += ['--set', *map('='.join, own.items())]
        others = {key: value for key, value in (chosen or {}).items() if key not in own}
        # The last one of a key counts.
        command += [CHANGED, f'randomness.seed={seed}', *self._length(method, own)]
        command += [*self.changes, *map('='.join, others.items()), *extra]
        return self._in_process(method, seed, command, folder, self._facts(method))

    def _in_process(
        self,
        name: str,
        seed: int,
        command: Sequence[str],
        folder: Path,
        facts: Mapping[str, Any],
    ) -> Training:
        home = self.home or self.out
        return Training(name, seed, tuple(command), folder, facts, home)

    def _length(self, method: str, own: Iterable[str]) -> list[str]:
        """The options that give a method its length, but for times that are set."""
        if method not in self.lengths:
            return []
        options = length_options(_read(self.pair, method), *self.lengths[method])
        taken = {f'model.methods.{key}' for key in own}
        return [option for option in options if _split(option)[0] not in taken]

    def _facts(self, method: str) -> dict[str, Any]:
        """What a training of a method depends on that its command only names."""
        read = _read(self.pair, method).to_dict()
        model = self.config_of(method).model
        facts = dict(config=read, **facts_of_student(model.get('student')))
        if method == NONE:
            return facts
        teacher = dict(model.get('teacher') or {})
        if '--teacher' in self.teaching:
            place = self.teaching.index('--teacher') + 1
            teacher['checkpoint'] = self.teaching[place]
        return facts | facts_of_teacher(teacher, self.recorded)

    def own(self, method: str, keys: Iterable[str]) -> list[str]:
        """Select the settings that belong to a method itself.

        Args:
            method: One of the methods.
            keys: Keys of settings.
        """
        names = methods_of(_read(self.pair, method))
        return [key for key in keys if key.partition('.')[0] in names]

    def config_of(self, method: str) -> Config:
        """The config of a method, with the changes.

        Args:
            method: One of the methods.

        Raises:
            ValueError: If it is unknown.
        """
        cfg = Config(_read(self.pair, method).to_dict())
        cfg.merge_from_dict(self.changed)
        return cfg

    @property
    def names(self) -> list[str]:
        """The names that the methods have in ``model.methods``."""
        configs = map(self.config_of, self.methods)
        return list(dict.fromkeys(chain.from_iterable(map(methods_of, configs))))

    @property
    def changed(self) -> dict[str, Any]:
        """The changes, with their values read as ``--cfg-options`` reads them."""
        pairs = map(_split, self.changes)
        return {key: DictAction._parse_iterable(value) for key, value in pairs}

    def _views(self, method: str, record: Path) -> list[str]:
        if method != NONE:
            return ['--recorded', str(record)]
        views = read_manifest(record).views
        return ['--views', str(views['count']), '--view-seed', str(views['seed'])]


def _split(change: str) -> tuple[str, str]:
    key, _, value = change.partition('=')
    return key, value


@cache
def _read(pair: str, method: str) -> Config:
    """The config of a method, read once for all seeds and settings."""
    cfg = load_config(pair)
    set_methods(cfg, [method])
    return cfg
