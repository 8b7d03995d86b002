"""Samples that are read one whole batch at a time, from decoded images in memory."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.structures import DataSample


class InMemory(BaseDataset):
    """A data set of images in memory that can be read one whole batch at a time.

    Reading a batch then takes a third of the time of reading it image by image,
    including crops and flips, and needs no workers. The pipeline must consist of
    ``PackInputs`` only; random augmentation is left to the data preprocessor, such
    as :class:`mmkd.models.preprocessors.CropFlipDataPreprocessor`, for which each
    data sample carries its ``view_key``.

    Args:
        *args: See MMPretrain's ``BaseDataset``.
        in_memory: Whether to read whole batches. This sets ``serialize_data`` to
            False: forked processes share the images as they are.
        **kwargs: See MMPretrain's ``BaseDataset``.

    Attributes:
        reads_batches: Whether to use :meth:`read_batch`.

    Raises:
        ValueError: If whole batches are to be read and the pipeline does more than
            pack; the message lists its transforms.
    """

    def __init__(self, *args: Any, in_memory: bool = False, **kwargs: Any) -> None:
        if in_memory:
            kwargs['serialize_data'] = False
        super().__init__(*args, **kwargs)
        self.reads_batches = in_memory
        if in_memory:
            self._check_pipeline()

    def __getitem__(self, index: int) -> Any:
        """Read a sample."""
        if not self.reads_batches:
            return super().__getitem__(index)
        return self.read_batch([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Read a batch, as PyTorch's data loaders request it."""
        if not self.reads_batches:
            return [self[index] for index in indices]
        return self.read_batch(indices)

    def read_batch(
        self, indices: Sequence[int], keys: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Read samples as ``PackInputs`` packs them, each with the key of its view.

        Args:
            indices: Their indices.
            keys: Seeds of everything random in each of them, signed 64-bit
                integers; if None, drawn from ``random``, as transforms do.

        Raises:
            ValueError: If another pipeline has been set.
        """
        self._check_pipeline()
        held = [self.data_list[index] for index in indices]
        pixels = np.stack([item['img'] for item in held]).transpose(0, 3, 1, 2)
        images = torch.from_numpy(np.ascontiguousarray(pixels))
        labels = torch.tensor([item['gt_label'] for item in held]).split(1)
        if keys is None:
            keys = [random.getrandbits(63) for _ in held]
        # As in BaseDataset, negative indices count from the end.
        numbers = [int(index) % len(self) for index in indices]
        return [
            dict(
                inputs=image,
                data_samples=DataSample(
                    metainfo=dict(sample_idx=number, view_key=key)
                ).set_gt_label(label),
            )
            for image, label, number, key in zip(
                images, labels, numbers, keys, strict=True
            )
        ]

    def _check_pipeline(self) -> None:
        steps = self.pipeline.transforms
        if [type(step) for step in steps] != [PackInputs]:
            names = [type(step).__name__ for step in steps]
            raise ValueError(
                f'{type(self).__name__}(in_memory=True) reads whole batches, for which '
                f'the pipeline must be PackInputs only, got {names}. Leave crops '
                "and flips to data_preprocessor=dict(type='mmkd."
                "CropFlipDataPreprocessor'), or remove in_memory."
            )
