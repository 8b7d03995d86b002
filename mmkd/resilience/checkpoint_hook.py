"""Checkpoints that no crash, full disk or signal can corrupt."""

import logging
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import Runner
from mmengine.utils import apply_to

from mmkd.checkpoints.identity import meta_of
from mmkd.registry import HOOKS
from mmkd.resilience.files import PARTIAL, remove, whole_or_nothing
from mmkd.resilience.loops import VALIDATED
from mmkd.resilience.pending_gradients import (
    pending_gradients,
    set_gradients,
    share_gradients,
)
from mmkd.resilience.same_buffers import share_buffers
from mmkd.resilience.same_run import check_same_run, note_run
from mmkd.resilience.saving import LateRemoval, WholeSaver
from mmkd.resilience.stop_signal import STOPPED, StopSignal

GRADIENTS = 'gradients'
"""The part of a checkpoint that holds the gradients of a pending update."""


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook, with atomic writes.

    A checkpoint is written under a temporary name, flushed to disk and renamed;
    only then are older ones removed, including the best one. When the training
    loop has received SIGTERM, a checkpoint is saved after the current iteration,
    also in validation, and the process exits with code 0. Between two updates, a
    checkpoint holds the gradients that have been accumulated.

    Args:
        args: Arguments of MMEngine's ``CheckpointHook``.
        kwargs: Keyword arguments of MMEngine's ``CheckpointHook``.

    Raises:
        OSError: In training, if a checkpoint cannot be written; the message
            names the last complete one.

    Examples:
        >>> default_hooks = dict(
        ...     checkpoint=dict(type='mmkd.AtomicCheckpointHook', interval=1))
    """

    file_backend: Any
    filename_tmpl: str
    keep_ckpt_ids: deque[int | str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filename_tmpl = NumberedName(self.filename_tmpl)
        self._gradients: Any = {}
        self._whole: str | None = None
        self._saved_at: int | None = None
        self._common_batches = 0

    def before_train(self, runner: Runner) -> None:
        """Find the folder, remove half-written files from it, restore gradients."""
        super().before_train(runner)
        set_gradients(runner, self._gradients)
        self._gradients = {}
        runner.logger.removeFilter(_is_not_about_lost_gradients)
        self._whole = runner._load_from if runner._resume else None
        if self._is_local and is_main_process():
            for partial in Path(self.out_dir).glob(f'*{PARTIAL}'):
                remove(partial)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Save a checkpoint if one is due or the training has to stop."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        stop = _stop_signal(runner)
        if stop is not None and stop.agreed():
            done = runner.iter + 1
            self._stop(runner, done, f'{runner.epoch}_iter_{done}')

    def before_val_epoch(self, runner: Runner) -> None:
        """Count the batches that every process has."""
        batches = torch.tensor(len(runner.val_dataloader))
        all_reduce(batches, 'min')
        self._common_batches = int(batches)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Save a checkpoint and stop, if the training has to stop."""
        stop = _stop_signal(runner)
        if stop is None or batch_idx >= self._common_batches or not stop.agreed():
            return
        if not isinstance(runner, Runner):
            # FlexibleRunner treats every checkpoint as one of a training step.
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                # In validation the model holds the averaged weights.
                hook.after_val_epoch(runner)
        self._stop(runner, runner.iter, runner.epoch)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save the best checkpoint."""
        runner.message_hub.update_info(VALIDATED, runner.iter)
        super().after_val_epoch(runner, metrics)

    def before_save_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Note which training the checkpoint is from, and add pending gradients."""
        note_run(runner, checkpoint['meta'])
        pending = pending_gradients(runner)
        if pending and 'optimizer' in checkpoint:
            checkpoint[GRADIENTS] = apply_to(pending, torch.is_tensor, torch.Tensor.cpu)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check that a resumed training is the one that was saved.

        Raises:
            ValueError: If it is not; the message has both values.
        """
        if runner._resume:
            check_same_run(runner, meta_of(checkpoint))
            self._gradients = checkpoint.get(GRADIENTS, {})
            if self._gradients:
                # MMEngine, which does not know of them, would log that they are lost.
                runner.logger.addFilter(_is_not_about_lost_gradients)

    def _stop(self, runner: Runner, iteration: int, epoch: int | str) -> None:
        if self._saved_at != iteration:
            meta = dict(epoch=runner.epoch, iter=iteration)
            step = epoch if self.by_epoch else iteration
            with self._safely(runner) as saver:
                self._save_checkpoint_with_step(saver, step, meta)
        runner.logger.info(
            f'{STOPPED} after {iteration} iterations; the state is saved in '
            f'{self.last_ckpt}. Run the same command with --resume to continue.'
        )
        runner.visualizer.close()
        raise SystemExit(0)

    @property
    def _is_local(self) -> bool:
        return isinstance(self.file_backend, LocalBackend)

    def _save_checkpoint(self, runner: Runner) -> None:
        with self._safely(runner) as saver:
            super()._save_checkpoint(saver)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        if not self.save_best:
            # Outside training, such as in runner.val(), there is no folder to save to.
            return
        with self._safely(runner) as saver:
            super()._save_best_checkpoint(saver, metrics)

    def _save_checkpoint_with_step(
        self, runner: Any, step: int | str, meta: dict[str, Any]
    ) -> None:
        outdated = self._outdated_by(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=meta['epoch'] > runner.epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._whole, self._saved_at = self.last_ckpt, meta['iter']
        if is_main_process():
            with whole_or_nothing(Path(runner.work_dir, 'last_checkpoint')) as partial:
                partial.write_text(self.last_ckpt)
            for old in outdated:
                self.file_backend.remove(
                    self.file_backend.join_path(
                        self.out_dir, self.filename_tmpl.format(old)
                    )
                )

    def _outdated_by(self, runner: Any, step: int | str) -> list[int | str]:
        """The checkpoints to remove once that of a step is complete."""
        if self.max_keep_ckpts <= 0:
            return []
        steps = [*(kept for kept in self.keep_ckpt_ids if kept != step), step]
        self.keep_ckpt_ids = deque(steps[-self.max_keep_ckpts :])
        # All of them: MMEngine removes surplus ones of a killed run on resuming.
        runner.message_hub.update_info('keep_ckpt_ids', steps)
        return steps[: -self.max_keep_ckpts]

    @contextmanager
    def _safely(self, runner: Runner) -> Iterator[Any]:
        """Save atomically, and remove older files last."""
        share_buffers(runner)
        share_gradients(runner)
        if not self._is_local:
            yield runner
            return
        backend, saver = self.file_backend, WholeSaver(runner, self._whole)
        self.file_backend = late = LateRemoval(backend)
        try:
            yield saver
        finally:
            self.file_backend = backend
        for path in late.paths - saver.saved:
            remove(Path(path))


class NumberedName(str):
    """The name of a checkpoint, such as ``epoch_{:03d}.pth``.

    If a training by epochs stops within an epoch, text replaces the number.
    """

    def format(self, *args: object, **kwargs: object) -> str:
        """Insert a number, or a string as it is."""
        if args and isinstance(args[0], str):
            return re.sub(r'\{[^{}]*\}', lambda _: str(args[0]), self)
        return super().format(*args, **kwargs)


def _stop_signal(runner: Runner) -> StopSignal | None:
    """The training loop's signal, if it has one and the training is running."""
    return getattr(runner._train_loop, 'stop', None)


def _is_not_about_lost_gradients(record: logging.LogRecord) -> bool:
    return 'gradient of some iterations is lost' not in record.getMessage()
