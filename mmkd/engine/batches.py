"""Batches that know their place in the training, and can start anywhere."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from mmengine.dist import get_dist_info
from torch.utils.data import DataLoader, Sampler

from mmkd.datasets.checked import CheckedDataset, Key
from mmkd.engine.stop_signal import WorkerStart

KEPT = (
    'num_workers',
    'collate_fn',
    'pin_memory',
    'timeout',
    'multiprocessing_context',
    'generator',
    'prefetch_factor',
    'persistent_workers',
)
"""What a data loader keeps when its batches are numbered."""


class NumberedBatches(Sampler):
    """A batch sampler that gives every sample the key of its random numbers.

    The key is made of the seed, the iteration and the sample's place in the
    whole batch, over all processes: neither workers that read ahead, nor the
    number of processes, nor where a run was interrupted have a part in it.
    Batches that a run has seen are passed over without reading an image.

    Args:
        batches: The batch sampler that chooses the samples. It must choose the
            same ones each time it starts in an epoch.
        endless: Whether epoch follows upon epoch in one iteration.

    Attributes:
        seed: First part of the keys.
        iteration: Iteration of the next batch.
        done: Batches to pass over: of this epoch, or of all if endless.
    """

    def __init__(self, batches: Any, endless: bool) -> None:
        self.batches = batches
        self.endless = endless
        self.seed = 0
        self.iteration = 0
        self.done: int | None = None

    @property
    def sampler(self) -> Any:
        """Where MMEngine looks for ``set_epoch``."""
        return getattr(self.batches, 'sampler', self.batches)

    @property
    def batch_size(self) -> int:
        """Samples in a batch."""
        return self.batches.batch_size

    def __len__(self) -> int:
        return len(self.batches)

    def start(self, seed: int, iteration: int, done: int) -> None:
        """Say where the next iteration over the batches starts.

        Args:
            seed: First part of the keys.
            iteration: Iteration of the first batch that is not passed over.
            done: Batches to pass over.
        """
        self.seed, self.iteration, self.done = seed, iteration, done

    def __iter__(self) -> Iterator[list[tuple[int, Key]]]:
        """Iterate over lists of an index and a key for each sample."""
        # MMEngine 0.10.7 starts to read before it knows where to go on.
        if self.done is None:
            return
        rank, processes = get_dist_info()
        batches = self._epochs() if self.endless else iter(self.batches)
        batches = islice(batches, self.done, None)
        for iteration, batch in enumerate(batches, self.iteration):
            yield [
                # One more, so that no sample has the key of an iteration.
                (index, (self.seed, iteration, 1 + rank + processes * place))
                for place, index in enumerate(batch)
            ]

    def _epochs(self) -> Iterator[Any]:
        for epoch in count():
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(epoch)
            batch = None
            for batch in self.batches:
                yield batch
            if batch is None:
                raise ValueError(
                    'the training set has no batch: it is smaller than one, and '
                    'drop_last is set.'
                )


def number_batches(loader: DataLoader, endless: bool, skip_corrupt: bool) -> DataLoader:
    """Number the batches of a data loader, and check what it reads.

    Args:
        loader: The loader, which is not used any more.
        endless: As in :class:`NumberedBatches`.
        skip_corrupt: As in :class:`mmkd.datasets.CheckedDataset`.

    Raises:
        TypeError: If it does not read batches of indices.
    """
    if loader.batch_sampler is None:
        raise TypeError(
            'train_dataloader must have a batch_size or a batch_sampler, got '
            f'neither for {type(loader.dataset).__name__}.'
        )
    dataset = CheckedDataset(loader.dataset, skip_corrupt, loader.num_workers)
    return DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_sampler=NumberedBatches(loader.batch_sampler, endless),
        worker_init_fn=WorkerStart(loader.worker_init_fn),
        **{name: getattr(loader, name) for name in KEPT},
    )
