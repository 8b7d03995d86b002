"""Training loops that resume as if there had been no interruption."""

from collections.abc import Iterator
from typing import Any, cast

import torch
from mmengine.dist import all_gather, all_reduce
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmkd.registry import LOOPS
from mmkd.resilience.loader import WatchedLoader, refuse_endless, watch
from mmkd.resilience.numbered_batches import Place
from mmkd.resilience.randomness import keep_seed, seed_everything
from mmkd.resilience.start_checks import check_length, check_views
from mmkd.resilience.stop_signal import StopSignal
from mmkd.resilience.views import Views

VALIDATED = 'last_validation'
"""Message hub key for the iteration of the last complete validation."""


class ResumableLoop:
    """What both loops add to MMEngine's.

    - Random numbers of an iteration depend only on the seed and its number,
      those of a sample only on the view of it that is due (see
      :class:`~mmkd.resilience.views.Views`), and those of a sampler without a
      seed only on that of the training, the epoch and the batch. No random state
      has to be saved, neither of any process nor of workers.
    - A resumed run skips the batches it has seen without reading them, also in
      the middle of an epoch.
    - A validation that was due when the run was interrupted is run on resuming.
    - :attr:`stop` tells the checkpoint hook about a SIGTERM.
    """

    endless: bool
    runner: Runner
    dataloader: WatchedLoader
    val_begin: int
    val_interval: int
    _iter: int
    _epoch: int

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict[str, Any],
        *args: Any,
        skip_corrupt: bool = False,
        views: int | None = None,
        view_seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        # Built and watched here, because MMEngine's own loops would start to read it.
        different = runner._randomness_cfg.get('diff_rank_seed', False)
        loader = runner.build_dataloader(dataloader, runner.seed, different)
        if not self.endless:
            refuse_endless(loader)
        self.skip_corrupt = skip_corrupt
        watch(loader, numbered=True, skip_corrupt=skip_corrupt)
        self.reader = cast(WatchedLoader, loader).reader
        self.view_count, self.view_seed = views, view_seed
        self.stop = StopSignal()
        super().__init__(runner, loader, *args, **kwargs)  # type: ignore[call-arg]
        check_length(self)
        check_views(loader, views)

    @property
    def views(self) -> Views:
        """Which views of the samples this training sees."""
        seed = self.runner.seed if self.view_seed is None else self.view_seed
        return Views(cast(int, seed), self.view_count)

    def _from(self, done: int) -> Iterator[Any]:
        """The batches from this iteration on."""
        # A hook may have replaced the loader.
        watch(self.dataloader, numbered=True, skip_corrupt=self.skip_corrupt)
        self.reader = self.dataloader.reader
        epoch = 0 if self.endless else self._epoch
        seed = cast(int, self.runner.seed)
        place = Place(self.views, self._iter, done, self.endless, epoch, seed)
        return self.dataloader.start(place)

    def run(self) -> nn.Module:
        """Launch training."""
        with self.stop:
            self.runner.call_hook('before_train')
            self._find_place()
            # The seed that the processes have drawn, or that of a checkpoint.
            if keep_seed(self.runner.cfg, lambda: self.runner.seed):
                self.runner.dump_config()
            self._train()
            self._report_skipped()
            self.runner.call_hook('after_train')
        return self.runner.model

    def _train(self) -> None:
        raise NotImplementedError

    def run_iter(self, *args: Any) -> None:
        """Iterate one batch.

        Args:
            args: Arguments of the method of MMEngine's loop.
        """
        if self.skip_corrupt:
            self.runner.message_hub.update_scalar(
                'train/skipped_samples', self.reader.skipped
            )
        seed_everything(self.runner.seed, self._iter)
        super().run_iter(*args)  # type: ignore[misc]

    def _find_place(self) -> None:
        """Check that all processes resume at the same place, in the same sample order.

        Raises:
            RuntimeError: If they have loaded different checkpoints.
        """
        places = [int(place) for place in all_gather(torch.tensor(self._iter))]
        if len(set(places)) > 1:
            raise RuntimeError(
                f'the processes resume from different iterations: {places}. The work '
                'directory must be one folder that all of them share.'
            )
        batches, hub = self.dataloader.batch_sampler, self.runner.message_hub
        sampler: Any = getattr(batches, 'sampler', batches)
        if hasattr(sampler, 'seed'):
            if self._iter > 0:
                # Without a seed in the config, this run has drawn a different one.
                sampler.seed = hub.get_info('sampler_seed', sampler.seed)
            hub.update_info('sampler_seed', sampler.seed)

    def _validate(self, time: int, last: int) -> None:
        """Validate if it is due and has not been done."""
        if self.runner.val_loop is None or time < self.val_begin:
            return
        done = self.runner.message_hub.get_info(VALIDATED, None)
        due = time % self.val_interval == 0 or time == last
        if due and done != self._iter:
            self.runner.val_loop.run()
            self.runner.message_hub.update_info(VALIDATED, self._iter)

    def _report_skipped(self) -> None:
        if self.skip_corrupt:
            skipped = torch.tensor(self.reader.skipped)
            all_reduce(skipped)
            self.runner.logger.info(
                f'Corrupt samples replaced by others since the start: {int(skipped)}.'
            )


@LOOPS.register_module()
class ResumableIterLoop(ResumableLoop, IterBasedTrainLoop):
    """MMEngine's iteration-based loop, exactly resumable.

    Args:
        args: Arguments of MMEngine's ``IterBasedTrainLoop``.
        skip_corrupt: Whether images and labels that cannot be read are
            replaced by others and counted. Otherwise they are an error.
        views: How many views of each sample are seen, in turn; None for a new one
            at each visit.
        view_seed: The seed of the views; None for that of the training.
        kwargs: Keyword arguments of MMEngine's ``IterBasedTrainLoop``.
    """

    endless = True

    def _train(self) -> None:
        self.runner.call_hook('before_train_epoch')
        if self._iter > 0:
            self._decide_current_val_interval()
            self._validate(self._iter, self._max_iters)
        batches = self._from(self._iter)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            self._decide_current_val_interval()
            self._validate(self._iter, self._max_iters)
        self.runner.call_hook('after_train_epoch')


@LOOPS.register_module()
class ResumableEpochLoop(ResumableLoop, EpochBasedTrainLoop):
    """MMEngine's epoch-based loop, exactly resumable also within an epoch.

    Args:
        args: Arguments of MMEngine's ``EpochBasedTrainLoop``.
        skip_corrupt: Whether images and labels that cannot be read are
            replaced by others and counted. Otherwise they are an error.
        views: How many views of each sample are seen, in turn; None for a new one
            at each visit.
        view_seed: The seed of the views; None for that of the training.
        kwargs: Keyword arguments of MMEngine's ``EpochBasedTrainLoop``.
    """

    endless = False

    def _train(self) -> None:
        if self._iter > 0 and not self._done:
            self._decide_current_val_interval()
            self._validate(self._epoch, self._max_epochs)
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self._validate(self._epoch, self._max_epochs)

    @property
    def _done(self) -> int:
        """How many batches of this epoch are done, as saved in checkpoints."""
        return self.runner.message_hub.get_info('batches_of_epoch', 0)

    def run_epoch(self) -> None:
        """Iterate over an epoch, or over the rest of it."""
        done, hub = self._done, self.runner.message_hub
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for number, batch in enumerate(self._from(done), done):
            hub.update_info('batches_of_epoch', number + 1)
            self.run_iter(number, batch)
        hub.update_info('batches_of_epoch', 0)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
