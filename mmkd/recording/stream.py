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
"""Where a data sample says which sample it is."""


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
        rows: The numbers of the rows of each batch: view by view, in each the samples.
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
    """Let a sample say which one it is.

    Args:
        sample: What the data set gave.
        key: Of the view.
        number: The sample that was read.

    Raises:
        TypeError: If it has no ``data_samples`` that can.
    """
    try:
        sample['data_samples'].set_metainfo({READ: int(number)})
    except (TypeError, KeyError, AttributeError) as error:
        raise TypeError(
            'a view is recorded of a sample with data_samples, as PackInputs and '
            f'PackSegInputs make them; this data set gives a {type(sample).__name__}.'
        ) from error
