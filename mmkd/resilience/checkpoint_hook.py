"""Checkpoints that no crash, full disk or signal can spoil."""

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
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmkd.checkpoints.identity import meta_of
from mmkd.registry import HOOKS
from mmkd.resilience.files import PARTIAL, remove, whole_or_nothing
from mmkd.resilience.loops import VALIDATED
from mmkd.resilience.same_buffers import share_buffers
from mmkd.resilience.same_run import check_same_run, note_run
from mmkd.resilience.saving import LateRemoval, WholeSaver
from mmkd.resilience.stop_signal import StopSignal


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's checkpoints, each of them whole or not there.

    A checkpoint is written beside its place, flushed to the disk and renamed;
    only then are older ones removed, the best one included. When the training
    loop has got SIGTERM, a checkpoint is written after the iteration at hand,
    in validation too, and the process ends with exit code 0. With gradient
    accumulation a checkpoint waits for the update: gradients are no part of it.

    Args:
        args: Arguments of MMEngine's ``CheckpointHook``.
        kwargs: More of them.

    Raises:
        OSError: In training, if a checkpoint cannot be written; the message
            says which is the last whole one.

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
        self._due = False
        self._whole: str | None = None
        self._saved_at: int | None = None
        self._common_batches = 0

    def before_train(self, runner: Runner) -> None:
        """Find the folder, and clear it of what a killed run left half written."""
        super().before_train(runner)
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
        """Save a checkpoint if it is time for one, or for the training to stop."""
        by_time = not self.by_epoch and (
            self.every_n_train_iters(runner, self.interval, self.save_begin)
            or (self.save_last and self.is_last_train_iter(runner))
        )
        self._due = self._due or by_time
        stop = _stop_signal(runner)
        stopping = stop is not None and stop.agreed()
        updated = _is_updated(runner)
        if updated and self._due:
            self._due = False
            runner.logger.info(f'Saving checkpoint at {runner.iter + 1} iterations')
            self._save_checkpoint(runner)
        if updated and stopping:
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
        """Save a checkpoint and stop, if the training is to."""
        stop = _stop_signal(runner)
        if stop is None or batch_idx >= self._common_batches or not stop.agreed():
            return
        if not isinstance(runner, Runner):
            # FlexibleRunner takes every checkpoint for one of a training step.
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                # In validation the average stands in the model's place.
                hook.after_val_epoch(runner)
        self._stop(runner, runner.iter, runner.epoch)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save the best checkpoint."""
        runner.message_hub.update_info(VALIDATED, runner.iter)
        super().after_val_epoch(runner, metrics)

    def before_save_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Note what training it is of."""
        note_run(runner, checkpoint['meta'])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Look whether a training that is resumed is the one that was saved.

        Raises:
            ValueError: If it is not; the message has both values.
        """
        if runner._resume:
            check_same_run(runner, meta_of(checkpoint))

    def _stop(self, runner: Runner, iteration: int, epoch: int | str) -> None:
        if self._saved_at != iteration:
            meta = dict(epoch=runner.epoch, iter=iteration)
            step = epoch if self.by_epoch else iteration
            with self._safely(runner) as saver:
                self._save_checkpoint_with_step(saver, step, meta)
        runner.logger.info(
            f'Stopped by SIGTERM after {iteration} iterations, of which '
            f'{self.last_ckpt} holds the state. The same command with --resume '
            'goes on.'
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
            # Without a training, as in runner.val(), there is no folder to save in.
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
        """The checkpoints to remove when that of a step is whole."""
        if self.max_keep_ckpts <= 0:
            return []
        steps = [*(kept for kept in self.keep_ckpt_ids if kept != step), step]
        self.keep_ckpt_ids = deque(steps[-self.max_keep_ckpts :])
        # All of them: MMEngine removes surplus ones of a killed run on resuming.
        runner.message_hub.update_info('keep_ckpt_ids', steps)
        return steps[: -self.max_keep_ckpts]

    @contextmanager
    def _safely(self, runner: Runner) -> Iterator[Any]:
        """Let what is saved appear when it is whole, and removals come last."""
        share_buffers(runner)
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

    Of a training by epochs that is stopped within one, the number has words in it.
    """

    def format(self, *args: object, **kwargs: object) -> str:
        """Put a number in, or words as they are."""
        if args and isinstance(args[0], str):
            return re.sub(r'\{[^{}]*\}', lambda _: str(args[0]), self)
        return super().format(*args, **kwargs)


def _stop_signal(runner: Runner) -> StopSignal | None:
    """The training loop's, if it has one and the training is running."""
    return getattr(runner._train_loop, 'stop', None)


def _is_updated(runner: Runner) -> bool:
    """Whether no gradient waits in the model for the next iteration."""
    wrapper = runner.optim_wrapper
    if not isinstance(wrapper, OptimWrapper) or isinstance(wrapper, OptimWrapperDict):
        return True
    return wrapper.should_update()
