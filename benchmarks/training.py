"""Trainings from a command line of ``tools/train.py``, up to their first step."""

import os
import runpy
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from benchmarks.pairs import Pair, write_teacher
from mmkd.cli import recording, training
from mmkd.config.experiments import load_config, set_methods
from mmkd.models import build_model

ROOT = Path(__file__).parents[1]


@dataclass
class Training:
    """A model, its optimiser wrapper and the batch of its first step."""

    model: Any
    wrapper: OptimWrapper
    batch: dict[str, Any]

    def step(self) -> None:
        """Take a step, as the training loop does."""
        self.model.train_step(dict(self.batch), self.wrapper)


class Workshop:
    """A folder with data and a teacher of a pair, in which trainings start.

    Args:
        pair: The pair.
        folder: An empty folder.
        device: The device of the models, ``'cpu'`` or ``'cuda'``.
    """

    def __init__(self, pair: Pair, folder: Path, device: str = 'cpu') -> None:
        self.pair, self.folder, self.device = pair, folder, device
        self.teacher, self.data = folder / 'teacher.pth', folder / 'data'
        write_teacher(pair, self.teacher)
        pair.write_data(pair, self.data)

    @cached_property
    def record(self) -> Path:
        """A record of KD's teacher, with two views."""
        folder = self.folder / 'record'
        with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere):
            tool, cfg, args = self.recording(folder)
            tool['make'](cfg, args)
        return folder

    def recording(self, folder: Path) -> tuple[dict[str, Any], Config, Any]:
        """What ``tools/record.py`` builds from a command line for KD.

        Args:
            folder: The folder of the record.

        Returns:
            The tool's names, the config and the arguments.
        """
        tool = runpy.run_path(str(ROOT / 'tools' / 'record.py'))
        options = ['--method', 'kd', '--out', str(folder), '--views', '2']
        args = recording.parse_args(self._command(*options))
        cfg = recording.merged_config(args)
        self._fit(cfg)
        return tool, cfg, args

    def config(self, *options: str) -> Config:
        """The config that ``tools/train.py`` builds from a command line.

        Args:
            options: Options besides pair, data and work directory.
        """
        options = (*options, '--work-dir', str(self.folder / 'work'))
        cfg = training.merged_config(training.parse_args(self._command(*options)))
        self._fit(cfg)
        cfg.experiment_name = '_'.join(filter(str.isalnum, options))
        return cfg

    def _command(self, *options: str) -> list[str]:
        command = [self.pair.name, *options, '--no-teacher-check']
        command += ['--data-root', str(self.data)]
        if self.pair.is_maps:
            height, width = self.pair.size
            size = f'model.data_preprocessor.size=({height},{width})'
            command += ['--cfg-options', size]
        if 'none' not in options:
            command += ['--teacher', str(self.teacher)]
        return command

    def _fit(self, cfg: Config) -> None:
        """Adapt a config: small images, no validation, no pretrained weights."""
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
        cfg.train_dataloader.update(
            batch_size=self.pair.batch, num_workers=0, persistent_workers=False
        )
        cfg.log_level = 'ERROR'
        cfg.model.get('student', cfg.model).pop('pretrained', None)
        for transform in cfg.train_dataloader.dataset.pipeline:
            if 'crop_size' in transform:
                transform.crop_size = self.pair.size

    def training(self, *options: str) -> Training:
        """Run a training up to its first step, including hooks and loader.

        Args:
            options: As for :meth:`config`.
        """
        runner = Runner.from_cfg(self.config(*options))
        stop = _StopAtFirstStep()
        runner.register_hook(stop, 'LOWEST')
        with suppress(_FirstStepError):
            runner.train()
        return Training(runner.model, runner.optim_wrapper, stop.batch)

    def usual(self, batch: dict[str, Any]) -> Training:
        """The student as its library trains it: contiguous, in float32.

        Args:
            batch: The batch of each step.
        """
        cfg = self.plain_config()
        model = build_model(cfg.model).to(self.device).train()
        return Training(model, build_optim_wrapper(model, cfg.optim_wrapper), batch)

    def plain_config(self) -> Config:
        """The student's config before mmkd's tools change it."""
        cfg = load_config(self.pair.name)
        set_methods(cfg, ['none'])
        self._fit(cfg)
        if self.pair.is_maps:
            cfg.model.data_preprocessor.size = self.pair.size
        init_default_scope(cfg.default_scope)
        return cfg


class _FirstStepError(Exception):
    pass


class _StopAtFirstStep(Hook):
    batch: dict[str, Any]

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        self.batch = data_batch
        raise _FirstStepError
