"""Random crops and flips of a whole batch at once."""

from typing import Any

import torch
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import Tensor
from torch.nn.functional import pad

from mmkd.keyed_numbers import uniforms
from mmkd.registry import MODELS


@MODELS.register_module()
class CropFlipDataPreprocessor(ClsDataPreprocessor):
    """MMPretrain's image preprocessor, plus random crops and flips in training.

    Views are distributed as with MMPretrain's ``RandomCrop(crop_size=size,
    padding=padding)`` and ``RandomFlip(prob=flip_prob)``. Each depends only on its
    sample's ``view_key``, not on how samples are split into batches, processes and
    workers, nor on where a training was interrupted.

    Args:
        *args: See MMPretrain's ``ClsDataPreprocessor``.
        padding: Black pixels added on each side before the crop.
        flip_prob: Probability of a horizontal flip.
        **kwargs: Likewise.

    Raises:
        ValueError: If ``padding`` is negative or ``flip_prob`` is not in [0, 1].

    Examples:
        >>> data_preprocessor = dict(
        ...     type='mmkd.CropFlipDataPreprocessor', padding=4, flip_prob=0.5)
        >>> train_dataloader = dict(dataset=dict(
        ...     type='mmkd.CIFAR100', in_memory=True,
        ...     pipeline=[dict(type='PackInputs')]))
    """

    def __init__(
        self, *args: Any, padding: int, flip_prob: float, **kwargs: Any
    ) -> None:
        if padding < 0 or not 0 <= flip_prob <= 1:
            raise ValueError(
                'padding must be at least 0 and flip_prob in [0, 1], got '
                f'{padding} and {flip_prob}.'
            )
        super().__init__(*args, **kwargs)
        self.padding, self.flip_prob = padding, flip_prob

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Crop and flip in training, then preprocess as MMPretrain does.

        Args:
            data: A batch from the loader, with stacked images.
            training: Whether to crop and flip.

        Raises:
            ValueError: If images are not stacked, or samples have no ``view_key``.
        """
        if training:
            images = self.cast_data(data['inputs'])
            if not isinstance(images, Tensor):
                raise ValueError(
                    f'{type(self).__name__} needs images of one size in one tensor, '
                    f"got a {type(images).__name__}: set train_dataloader.collate_fn="
                    "dict(type='default_collate')."
                )
            keys = _keys_of(data.get('data_samples'))
            top, left, flipped = self._draw(keys).to(images.device, non_blocking=True)
            views = crop_and_flip(images, top, left, flipped, self.padding)
            data = dict(data, inputs=views)
        return super().forward(data, training)

    def _draw(self, keys: Tensor) -> Tensor:
        """First row, first column and whether to flip, integers ``(3, N)``."""
        top, left, flip = uniforms(keys, 3)
        places = 2 * self.padding + 1
        return torch.stack([top * places, left * places, flip < self.flip_prob]).long()


def crop_and_flip(
    images: Tensor, top: Tensor, left: Tensor, flipped: Tensor, padding: int
) -> Tensor:
    """Cut a window of the image's own size out of each padded image.

    Args:
        images: Images ``(N, C, H, W)`` of any dtype.
        top: First row of each window in its padded image, integers ``(N,)``.
        left: First column, likewise.
        flipped: Whether each window is mirrored, 0 or 1, ``(N,)``.
        padding: Zeros added on each side.

    Returns:
        The windows, with the shape and dtype of the images.
    """
    _, channels, height, width = images.shape
    rows = torch.arange(height, device=images.device) + top[:, None]
    columns = torch.arange(width, device=images.device)
    columns = torch.where(flipped[:, None] > 0, columns.flip(0), columns)
    columns = columns + left[:, None]
    pixels = rows[:, :, None] * (width + 2 * padding) + columns[:, None]
    pixels = pixels.flatten(1)[:, None].expand(-1, channels, -1)
    padded = pad(images, [padding] * 4)
    return padded.flatten(2).gather(2, pixels).view_as(images)


def _keys_of(data_samples: Any) -> Tensor:
    keys = [sample.get('view_key') for sample in data_samples or [{}]]
    if None in keys:
        raise ValueError(
            'CropFlipDataPreprocessor draws from the view_key of each data sample, '
            'but these have none: set train_dataloader.dataset.in_memory=True, which '
            'mmkd.CIFAR100 and mmkd.SVHN support, and a pipeline of only PackInputs.'
        )
    return torch.tensor(keys)
