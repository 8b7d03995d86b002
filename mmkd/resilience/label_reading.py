"""Labels without images, as data sets read them."""

import copy
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine import fileio
from mmengine.structures import BaseDataElement, PixelData
from PIL import Image
from torch import Tensor

from mmkd.libraries import is_of_library

FILES = 50
"""Label files that are read from a data set."""

ENTRIES = 10_000
"""Labels that are checked if they are listed and not in files."""

SECONDS = 10.0
"""Seconds after which reading labels stops."""

READERS = ('__getitem__', 'prepare_data')
"""Methods of data sets that read samples."""

DEEP = ('I', 'I;16', 'I;16B', 'I;16L', 'F')
"""Pillow's modes with more than eight bits."""


class ReadLabels(NamedTuple):
    """The labels of one sample.

    Attributes:
        sample: The labels and the names of their files.
        images: The image, as a meta tensor of its size; None without files.
        held: The values in the label file, if it has more than eight bits; empty
            otherwise.
        kept: The values that the data set reads them as.
    """

    sample: BaseDataElement
    images: list[Tensor] | None = None
    held: Tensor = torch.empty(0, dtype=torch.int64)
    kept: Tensor = torch.empty(0, dtype=torch.int64)


def leaves(dataset: Any) -> list[Any]:
    """The data sets that hold samples themselves, in one that may wrap others."""
    wrapped = _wrapped(dataset)
    if wrapped is not None:
        return [leaf for each in wrapped for leaf in leaves(each)]
    return [dataset] if hasattr(dataset, 'get_data_info') and len(dataset) else []


def _wrapped(dataset: Any) -> Sequence[Any] | None:
    """The data sets in one that wraps others; None in one that does not."""
    if getattr(dataset, 'datasets', None) is not None:
        return dataset.datasets
    return [dataset.dataset] if hasattr(dataset, 'dataset') else None


def spread(datasets: Sequence[Any]) -> Iterator[ReadLabels]:
    """Read labels that are spread evenly over data sets.

    Those that cannot be read are skipped.

    Args:
        datasets: What :func:`leaves` found, at least one.
    """
    started, ends = time.monotonic(), np.cumsum([len(each) for each in datasets])
    limit = ENTRIES
    with suppress(Exception):
        limit = FILES if 'seg_map_path' in datasets[0].get_data_info(0) else limit
    for number in np.linspace(0, ends[-1] - 1, min(limit, ends[-1])).astype(int):
        place = int(np.searchsorted(ends, number, side='right'))
        dataset, read = datasets[place], None
        # Corrupt bytes can cause any exception in decoders and transforms.
        with suppress(Exception):
            read = _read(dataset, int(number - ends[place] + len(dataset)))
        if read is not None:
            yield read
        if time.monotonic() - started > SECONDS:
            return


def _read(dataset: Any, index: int) -> ReadLabels:
    info = dataset.get_data_info(index)
    files = {name: info[name] for name in ('img_path', 'seg_map_path') if name in info}
    sample = BaseDataElement(metainfo=files)
    if 'seg_map_path' not in info:
        sample.gt_label = torch.as_tensor(np.atleast_1d(info['gt_label']))
        return ReadLabels(sample)
    for transform in dataset.pipeline.transforms:
        # A copy: counters in transforms must not change before training.
        info = copy.deepcopy(transform)(info)
        if 'gt_seg_map' in info:
            break
    labels = torch.as_tensor(info['gt_seg_map'])
    label_map = labels[None] if labels.dim() == 2 else labels
    sample.gt_sem_seg = PixelData(data=label_map.long())
    image = torch.empty(1, *info['ori_shape'][:2], device='meta')
    held = torch.empty(0, dtype=torch.int64)
    if _is_known(type(transform)):
        backend = getattr(transform, 'backend_args', None)
        held = _deep_values(files['seg_map_path'], backend)
    return ReadLabels(sample, [image], held, held.to(labels.dtype).long())


def may_map_later(dataset: Any) -> bool:
    """Whether a user's own code, in a transform or data set, may change labels.

    Args:
        dataset: A data set, which may wrap others.
    """
    readers = [getattr(type(dataset), name, None) for name in READERS]
    steps = [
        each if isinstance(each, FunctionType) else type(each)
        for each in _transforms(getattr(dataset, 'pipeline', None))
    ]
    parts = [*filter(None, readers), *steps]
    return not all(map(_is_known, parts)) or any(
        map(may_map_later, _wrapped(dataset) or [])
    )


def _is_known(part: Any) -> bool:
    """Whether a class or method is Python's or a library's, not a user's."""
    module = getattr(part, '__module__', None) or 'builtins'
    return module == 'builtins' or is_of_library(part)


def _transforms(part: Any) -> Iterator[Any]:
    """A transform, or those in a list, with all that are nested in them."""
    for each in part if isinstance(part, (list, tuple)) else [part]:
        if isinstance(each, (list, tuple)):
            yield from _transforms(each)
        elif each is not None and not isinstance(each, Mapping):
            yield each
            yield from _transforms(getattr(each, 'transforms', None))


def _deep_values(file: str, backend_args: Any) -> Tensor:
    """The values in a label file; empty if it has at most eight bits."""
    content = io.BytesIO(fileio.get(file, backend_args=backend_args))
    # Pillow does not know every format that a transform may read.
    with suppress(OSError), Image.open(content) as image:
        if image.mode in DEEP:
            return torch.as_tensor(np.array(image).astype(np.int64)).unique()
    return torch.empty(0, dtype=torch.int64)
