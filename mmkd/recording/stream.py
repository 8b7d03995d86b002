"""Views of a training's samples, batch by batch, as the training sees them."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader

from mmkd.resilience.loader import WatchedLoader
from mmkd.resilience.reading import Key, Keyed
from mmkd.resilience.views import Views
from mmkd.resilience.worker_start import WorkerStart

READ = 'sample_read'
"""The metainfo key for the index of a data sample."""


def batches_of(
    loader: WatchedLoader,
    views: Views,
    rows: Sequence[Sequence[int]],
    workers: int | None = None,
) -> Iterator[Any]:
    """Read batches of rows of a record.

    Args:
        loader: The training's loader; it is left as it is.
        views: The views.
        rows: The row numbers of each batch; rows are ordered by view, then by sample.
        workers: How many processes read; None for as many as in training.

    Yields:
        What the loader collates. Each data sample has :data:`READ`.
    """
    reader: Any = copy.copy(loader.reader)
    reader.note = note_sample
    size = len(reader)
    keyed = [
        [Keyed(row % size, views.key(row // size, row % size)) for row in batch]
        for batch in rows
    ]
    yield from DataLoader(
        reader,
        batch_sampler=keyed,
        num_workers=loader.num_workers if workers is None else workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        worker_init_fn=WorkerStart(loader.worker_init_fn),
    )


def note_sample(sample: Any, key: Key, number: int) -> None:
    """Store the index of a sample in it.

    Args:
        sample: The output of the data set.
        key: The key of the view.
        number: The index of the sample that was read.

    Raises:
        TypeError: If it has no ``data_samples`` with metainfo.
    """
    try:
        sample['data_samples'].set_metainfo({READ: int(number)})
    except (TypeError, KeyError, AttributeError) as error:
        raise TypeError(
            'recording needs samples with data_samples, such as those of PackInputs '
            f'and PackSegInputs; this data set returns a {type(sample).__name__}.'
        ) from error
