"""A data loader whose samples know their place in the training."""

import copy
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from types import new_class
from typing import Any, NamedTuple, cast

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from torch.utils.data import DataLoader, IterableDataset

from mmkd.resilience.reading import Key, SampleReader
from mmkd.resilience.worker_start import WorkerStart


class Place(NamedTuple):
    """Where in a training an iteration over the batches begins.

    Attributes:
        seed: First part of the keys of random numbers.
        iteration: Iteration of the first batch that is read.
        done: Batches to pass over: of this epoch, or of all if endless.
        endless: Whether epoch follows upon epoch.
    """

    seed: int
    iteration: int
    done: int
    endless: bool


class NumberedBatches:
    """Batches of indices that give every sample the key of its random numbers.

    The key is made of the seed, the iteration and the sample's place in the
    whole batch, over all processes: neither workers that read ahead, nor the
    number of processes, nor where a run was interrupted have a part in it.
    Batches that a run has seen are passed over without reading an image.

    Args:
        batches: The batch sampler that chooses the samples. It must choose the
            same ones each time it starts in an epoch.

    Attributes:
        place: Where the next iteration begins. It is taken once: one that the
            training did not start, as a hook's own, reads as any loader does.
        closed: Whether there is nothing to read yet.
    """

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        self.place: Place | None = None
        self.closed = True

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over lists of indices, with a key for each in the training."""
        # PyTorch asks twice and reads once: the place is taken at the first batch.
        # MMEngine 0.10.7 starts to read before it knows where to go on.
        if not self.closed:
            place, self.place = self.place, None
            yield from self.batches if place is None else self._from(place)

    def _from(self, place: Place) -> Iterator[list[tuple[int, Key]]]:
        rank, processes = get_dist_info()
        batches = self._epochs() if place.endless else iter(self.batches)
        batches = islice(batches, place.done, None)
        for iteration, batch in enumerate(batches, place.iteration):
            yield [
                # One more, so that no sample has the key of an iteration.
                (index, (place.seed, iteration, 1 + rank + processes * number))
                for number, index in enumerate(batch)
            ]

    def _epochs(self) -> Iterator[Any]:
        sampler = getattr(self.batches, 'sampler', self.batches)
        for epoch in count():
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            batch = None
            for batch in self.batches:
                yield batch
            if batch is None:
                raise ValueError(
                    'the training set has no batch: it is smaller than one, and '
                    'drop_last is set.'
                )


class WatchedLoader(DataLoader):
    """A data loader that names corrupt files; in training its batches are numbered.

    Data set, samplers, batch size and all else are the loader's own, and stay
    so: only what iterates over it reads through a :class:`SampleReader`.

    Attributes:
        reader: What reads the samples.
        numbered: The batches with keys, None outside training.
    """

    reader: SampleReader
    numbered: NumberedBatches | None

    @property
    def _index_sampler(self) -> Any:
        return self.numbered or super()._index_sampler

    def _get_iterator(self) -> Any:
        # PyTorch takes all that it needs from the loader it is handed.
        inner = copy.copy(self)
        start = WorkerStart(self.worker_init_fn)
        inner.__dict__.update(dataset=self.reader, worker_init_fn=start)
        return super(WatchedLoader, inner)._get_iterator()

    def start(self, place: Place) -> Iterator[Any]:
        """Iterate over the batches from a place in the training on."""
        batches = cast(NumberedBatches, self.numbered)
        batches.closed, batches.place = False, place
        return iter(self)


def watch(
    loader: DataLoader, numbered: bool = False, skip_corrupt: bool = False
) -> None:
    """Let a data loader name corrupt files, and number its batches if asked to.

    Args:
        loader: Any loader; one whose samples have no index stays as it is,
            unless it is to be numbered.
        numbered: Whether it is a training's.
        skip_corrupt: As in :class:`SampleReader`.

    Raises:
        TypeError: If it is to be numbered and does not read batches of indices.
    """
    by_index = loader.batch_sampler is not None
    if isinstance(loader.dataset, IterableDataset) or not (by_index or not numbered):
        if numbered:
            raise TypeError(
                'train_dataloader must have a batch_size or a batch_sampler, and a '
                f'data set with indices, got {type(loader.dataset).__name__}.'
            )
        return
    if not isinstance(loader, WatchedLoader):
        kind: Any = type(loader)
        loader.__class__ = _watched(kind)
    loader = cast(WatchedLoader, loader)
    loader.reader = SampleReader(loader.dataset, skip_corrupt, loader.num_workers)
    loader.numbered = NumberedBatches(loader.batch_sampler) if numbered else None


@cache
def _watched(kind: Any) -> Any:
    return new_class(kind.__name__, (WatchedLoader, kind))


def refuse_endless(loader: DataLoader) -> None:
    """Refuse a sampler that never ends, where epochs are counted.

    Raises:
        ValueError: If it is one; the message names it.
    """
    for sampler in (loader.sampler, loader.batch_sampler):
        name = type(sampler).__name__
        if isinstance(sampler, InfiniteSampler) or 'Infinite' in name:
            raise ValueError(
                f'{name} never ends, and this training counts epochs: the first one '
                "would not end either. Use sampler=dict(type='DefaultSampler', "
                "shuffle=True), or train_cfg=dict(type='IterBasedTrainLoop', ...)."
            )
