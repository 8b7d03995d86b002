"""A data loader that numbers training batches and names corrupt files."""

import copy
from collections.abc import Iterator
from functools import cache
from itertools import islice
from types import new_class
from typing import Any, cast

import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from mmkd.random_state import random_state_kept
from mmkd.resilience.numbered_batches import NumberedBatches, Place
from mmkd.resilience.reading import SampleReader
from mmkd.resilience.worker_start import WorkerStart


class WatchedLoader(DataLoader):
    """A data loader that names corrupt files; in training its batches are numbered.

    Data set, samplers, batch size and everything else stay as they are: only
    iterators of the loader read through a :class:`SampleReader`.

    Attributes:
        reader: Reads the samples.
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
        # PyTorch's iterator takes everything from the loader it is given.
        inner = copy.copy(self)
        reader, start = self.reader.of(self.dataset), WorkerStart(self.worker_init_fn)
        inner.__dict__.update(dataset=reader, worker_init_fn=start)
        return super(WatchedLoader, inner)._get_iterator()

    def start(self, place: Place) -> Iterator[Any]:
        """Iterate over the batches, starting at a place in the training.

        Every epoch has its own iterator, as in MMEngine, so that workers see changes
        to the data set.
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
    """Make a data loader name corrupt files and, on request, number its batches.

    Args:
        loader: Any loader. One whose samples have no index stays as it is, unless
            ``numbered`` is set.
        numbered: Whether it is the training loader.
        skip_corrupt: As in :class:`SampleReader`.

    Raises:
        TypeError: If ``numbered`` is set and it does not read batches of indices.
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
"""How to train by epochs or by iterations."""


def refuse_endless(loader: DataLoader) -> None:
    """Refuse a sampler that never ends if epochs are counted.

    Args:
        loader: Any loader; one that is watched already is accepted.

    Raises:
        ValueError: If it never ends or its length is unknown; the message names it.
    """
    if isinstance(loader, WatchedLoader) or not _has_indices(loader):
        return
    own = type(loader.batch_sampler) is not BatchSampler
    name = type(loader.batch_sampler if own else loader.sampler).__name__
    try:
        length = len(loader)
    except (TypeError, NotImplementedError) as error:
        raise ValueError(f'{name} has no length, but {ADVICE}') from error
    if isinstance(loader.sampler, InfiniteSampler) or _goes_on(loader, 10 * length):
        raise ValueError(f'{name} never ends, but {ADVICE}')


def _goes_on(loader: DataLoader, batches: int) -> bool:
    """Whether a loader has more batches than these, by a copy of its sampler."""
    return batches > 0 and batch_number(loader, batches) is not None


def batch_number(loader: DataLoader, number: int) -> list[int] | None:
    """The indices of a batch, from a copy of the sampler, which does not advance.

    Args:
        loader: The loader.
        number: How many batches come before it.

    Returns:
        None if there is none, or the sampler cannot be copied or run before
        training.
    """
    with random_state_kept(torch.device('cpu')):
        try:
            data = {id(loader.dataset): loader.dataset}
            sampler: Any = copy.deepcopy(loader.batch_sampler, data)
            return next(islice(sampler, number, None), None)
        except Exception:
            return None
