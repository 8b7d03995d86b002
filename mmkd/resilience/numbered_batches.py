"""Batches of indices with the keys of the samples' random numbers."""

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import torch
from mmengine.dist import get_dist_info
from torch.utils.data import BatchSampler

from mmkd.random_state import random_state_kept
from mmkd.resilience.randomness import seed_sample
from mmkd.resilience.reading import Keyed
from mmkd.resilience.views import Views, Visits


class Place(NamedTuple):
    """Where in a training an iteration over the batches begins.

    Attributes:
        views: Which views of the samples are seen.
        iteration: Iteration of the first batch that is read.
        done: Batches to skip: of this epoch, or of all if endless.
        endless: Whether one epoch follows another without end.
        epoch: The epoch that is iterated over; 0 if endless.
        seed: Of the order, for samplers without one of their own.
    """

    views: Views
    iteration: int
    done: int
    endless: bool
    epoch: int = 0
    seed: int = 0


class NumberedBatches:
    """Batches of indices that give every sample the key of its random numbers.

    The key is that of the view that is due, see :class:`Views`. It depends neither
    on workers that read ahead, nor on the number of processes, nor on where a run
    was interrupted. Batches that a run has seen are skipped without reading an
    image.

    Attributes:
        batches: The batch sampler that chooses the samples. It must choose the
            same ones each time it is started in an epoch with the same random state.
        upcoming: What the next iterator reads. It is used once: iterators that the
            training did not start, such as a hook's own, read without keys.
        closed: Whether there is nothing to read yet.
    """

    def __init__(self) -> None:
        self.batches: Any = ()
        self.upcoming: Iterator[Any] | None = None
        self.closed = True

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over lists of indices, each with a key in training."""
        # PyTorch makes two iterators and reads one: take it at the first batch.
        # MMEngine 0.10.7 starts to read before it knows where to resume.
        if not self.closed:
            upcoming, self.upcoming = self.upcoming, None
            if upcoming is None:
                yield from self.batches
            else:
                yield from iter(upcoming.__next__, None)

    def all_from(self, start: Place) -> Iterator[list[Keyed] | None]:
        """The batches from a place on; None separates two epochs."""
        rank, processes = get_dist_info()
        done, iteration, given = start.done, start.iteration, 0
        visits = Visits(self.batches)
        for epoch in count(start.epoch):
            sampler = getattr(self.batches, 'sampler', self.batches)
            if start.endless and hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            batch = None
            for batch in _drawn(self.batches, start.seed, epoch):
                before, given = given, given + len(batch)
                if done > 0:
                    done -= 1
                    continue
                places = range(rank, rank + processes * len(batch), processes)
                numbers = [
                    visits.number(epoch, processes * before + place, iteration, place)
                    for place in places
                ]
                yield [
                    Keyed(index, start.views.key(visit, index))
                    for index, visit in zip(batch, numbers, strict=True)
                ]
                iteration += 1
            if not start.endless:
                return
            if batch is None:
                raise ValueError(
                    'the training set has no batch: it is smaller than batch_size, '
                    'and drop_last is set.'
                )
            if iteration > start.iteration:
                yield None


def _drawn(batches: Any, seed: int, epoch: int) -> Iterator[Any]:
    """The batches of an epoch, whatever the training has drawn before."""
    if type(batches) is BatchSampler and hasattr(batches.sampler, 'seed'):
        # It has a generator of its own: the epoch is enough.
        yield from batches
        return
    drawing = iter(batches)
    for number in count():
        with random_state_kept(torch.device('cpu')):
            # The key of no sample: the last number of theirs is not negative.
            seed_sample((seed, epoch, number, -1))
            batch = next(drawing, None)
        if batch is None:
            return
        yield batch
