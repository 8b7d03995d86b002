"""A data loader whose samples know their place in the training."""

import copy
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from types import new_class
from typing import Any, NamedTuple, cast

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from mmkd.random_state import random_state_kept
from mmkd.resilience.reading import Keyed, SampleReader
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

    Attributes:
        batches: The batch sampler that chooses the samples. It must choose the
            same ones each time it starts in an epoch.
        upcoming: What the next iteration reads. It is taken once: one that the
            training did not start, as a hook's own, reads as any loader does.
        closed: Whether there is nothing to read yet.
    """

    def __init__(self) -> None:
        self.batches: Any = ()
        self.upcoming: Iterator[Any] | None = None
        self.closed = True

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over lists of indices, with a key for each in the training."""
        # PyTorch asks twice and reads once: it is taken at the first batch.
        # MMEngine 0.10.7 starts to read before it knows where to go on.
        if not self.closed:
            upcoming, self.upcoming = self.upcoming, None
            if upcoming is None:
                yield from self.batches
            else:
                yield from iter(upcoming.__next__, None)

    def all_from(self, place: Place) -> Iterator[list[Keyed] | None]:
        """The batches from a place on; None stands between two epochs."""
        rank, processes = get_dist_info()
        done, iteration = place.done, place.iteration
        for epoch in count():
            sampler = getattr(self.batches, 'sampler', self.batches)
            if place.endless and hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            batch = None
            for batch in self.batches:
                if done > 0:
                    done -= 1
                    continue
                yield [
                    # One more, so that no sample has the key of an iteration.
                    Keyed(index, (place.seed, iteration, 1 + rank + processes * number))
                    for number, index in enumerate(batch)
                ]
                iteration += 1
            if not place.endless:
                return
            if batch is None:
                raise ValueError(
                    'the training set has no batch: it is smaller than one, and '
                    'drop_last is set.'
                )
            if iteration > place.iteration:
                yield None


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
        own = super()._index_sampler
        if self.numbered is None:
            return own
        self.numbered.batches = own
        return self.numbered

    def _get_iterator(self) -> Any:
        # PyTorch takes all that it needs from the loader it is handed.
        inner = copy.copy(self)
        reader, start = self.reader.of(self.dataset), WorkerStart(self.worker_init_fn)
        inner.__dict__.update(dataset=reader, worker_init_fn=start)
        return super(WatchedLoader, inner)._get_iterator()

    def start(self, place: Place) -> Iterator[Any]:
        """Iterate over the batches from a place in the training on.

        Every epoch is an iteration of its own, as under MMEngine: workers then see
        what has become of the data set.
        """
        numbered = cast(NumberedBatches, self.numbered)
        numbered.batches, numbered.closed = self.batch_sampler, False
        batches = numbered.all_from(place)
        while True:
            numbered.upcoming = batches
            yield from self
            if not place.endless:
                return


def watch(
    loader: DataLoader, numbered: bool = False, skip_corrupt: bool = False
) -> None:
    """Let a data loader name corrupt files, and number its batches if asked to.

    Args:
        loader: Any loader, once; one whose samples have no index stays as it is,
            unless it is to be numbered.
        numbered: Whether it is a training's.
        skip_corrupt: As in :class:`SampleReader`.

    Raises:
        TypeError: If it is to be numbered and does not read batches of indices.
    """
    if isinstance(loader, WatchedLoader):
        return
    batched = getattr(loader, 'batch_sampler', None) is not None
    if not _has_indices(loader) or (numbered and not batched):
        if numbered:
            raise TypeError(
                'train_dataloader must have a batch_size or a batch_sampler, and a '
                f'data set with indices, got {type(loader.dataset).__name__}.'
            )
        return
    kind: Any = type(loader)
    loader.__class__ = _watched(kind)
    loader = cast(WatchedLoader, loader)
    loader.reader = SampleReader(loader.dataset, skip_corrupt, loader.num_workers)
    loader.numbered = NumberedBatches() if numbered else None


def _has_indices(loader: Any) -> bool:
    data = getattr(loader, 'dataset', None)
    return isinstance(loader, DataLoader) and not isinstance(data, IterableDataset)


@cache
def _watched(kind: Any) -> Any:
    return new_class(kind.__name__, (WatchedLoader, kind))


ADVICE = (
    "this training counts epochs. Use sampler=dict(type='DefaultSampler', "
    "shuffle=True), or train_cfg=dict(type='IterBasedTrainLoop', max_iters=...)."
)
"""How to train by epochs, or without."""


def refuse_endless(loader: DataLoader) -> None:
    """Refuse a sampler that never ends, where epochs are counted.

    Args:
        loader: Any loader that has not been looked at.

    Raises:
        ValueError: If it is one, or its length is unknown; the message names it.
    """
    if isinstance(loader, WatchedLoader) or not _has_indices(loader):
        return
    own = type(loader.batch_sampler) is not BatchSampler
    name = type(loader.batch_sampler if own else loader.sampler).__name__
    try:
        length = len(loader)
    except (TypeError, NotImplementedError) as error:
        raise ValueError(f'{name} has no length, and {ADVICE}') from error
    if isinstance(loader.sampler, InfiniteSampler) or _goes_on(loader, 10 * length):
        raise ValueError(f'{name} never ends, and {ADVICE}')


def _goes_on(loader: DataLoader, batches: int) -> bool:
    """Whether a loader has more batches, found with a copy of its sampler."""
    return batches > 0 and batch_number(loader, batches) is not None


def batch_number(loader: DataLoader, number: int) -> list[int] | None:
    """The indices of a batch, from a copy of the sampler: nothing is used up.

    Args:
        loader: The loader.
        number: How many batches come before it.

    Returns:
        None if there is none, or the sampler cannot be copied or tried before the
        training.
    """
    with random_state_kept(torch.device('cpu')):
        try:
            data = {id(loader.dataset): loader.dataset}
            sampler: Any = copy.deepcopy(loader.batch_sampler, data)
            return next(islice(sampler, number, None), None)
        except Exception:
            return None
