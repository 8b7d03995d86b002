"""Samples that are read a whole batch at a time, from decoded images in memory."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.structures import DataSample


class InMemory(BaseDataset):
    """A data set of images in memory, which may be read whole batches at a time.

    A batch then costs a third of what it costs image by image, crops and flips
    included, and no worker is needed to read it in time. For that the
    pipeline is ``PackInputs`` alone; what is random in a view is left to the data
    preprocessor, as :class:`mmkd.models.preprocessors.CropFlipDataPreprocessor`,
    for which each data sample carries its ``view_key``.

    Args:
        *args: See MMPretrain's ``BaseDataset``.
        in_memory: Whether to read whole batches. ``serialize_data`` is False then:
            processes that are forked share the images as they are.
        **kwargs: More of them.

    Attributes:
        reads_batches: Whether :meth:`read_batch` is to be used.

    Raises:
        ValueError: If whole batches are to be read and the pipeline does more than
            pack; the message names what.
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
        """Read a batch, as PyTorch's loaders ask for it."""
        if not self.reads_batches:
            return [self[index] for index in indices]
        return self.read_batch(indices)

    def read_batch(
        self, indices: Sequence[int], keys: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Read samples as ``PackInputs`` packs them, each with the key of its view.

        Args:
            indices: Which ones.
            keys: From what all that is random in each of them follows, signed
                numbers of 64 bits; drawn where it is None, as transforms draw.

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
        # As BaseDataset numbers samples, from the end too.
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
                f'{type(self).__name__}(in_memory=True) reads whole batches, on which '
                f'no pipeline acts but PackInputs alone, and has {names}. Leave crops '
                "and flips to data_preprocessor=dict(type='mmkd."
                "CropFlipDataPreprocessor'), or do without in_memory."
            )
