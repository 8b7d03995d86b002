"""Batches whose samples know their place in the training."""

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from mmengine.dist import get_dist_info

from mmkd.resilience.reading import Keyed
from mmkd.resilience.views import Views, Visits


class Place(NamedTuple):
    """Where in a training an iteration over the batches begins.

    Attributes:
        views: Which views of the samples are seen.
        iteration: Iteration of the first batch that is read.
        done: Batches to pass over: of this epoch, or of all if endless.
        endless: Whether epoch follows upon epoch.
        epoch: The epoch that is iterated over; 0 if endless.
    """

    views: Views
    iteration: int
    done: int
    endless: bool
    epoch: int = 0


class NumberedBatches:
    """Batches of indices that give every sample the key of its random numbers.

    The key is that of the view which is due, see :class:`Views`: neither workers
    that read ahead, nor the number of processes, nor where a run was interrupted
    have a part in it. Batches that a run has seen are passed over without reading
    an image.

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

    def all_from(self, start: Place) -> Iterator[list[Keyed] | None]:
        """The batches from a place on; None stands between two epochs."""
        rank, processes = get_dist_info()
        done, iteration, given = start.done, start.iteration, 0
        visits = Visits(self.batches)
        for epoch in count(start.epoch):
            sampler = getattr(self.batches, 'sampler', self.batches)
            if start.endless and hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            batch = None
            for batch in self.batches:
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
                    'the training set has no batch: it is smaller than one, and '
                    'drop_last is set.'
                )
            if iteration > start.iteration:
                yield None
