"""Batches whose samples know their place in the training."""

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from mmengine.dist import get_dist_info

from mmkd.resilience.reading import Keyed


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
