"""Cropping and flipping a batch does the same as doing it image by image."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample
from torch import Tensor

from mmkd.models.preprocessors import CropFlipDataPreprocessor
from mmkd.models.preprocessors.crop_and_flip import crop_and_flip
from mmkd.registry import MODELS

NORMALISE: dict[str, Any] = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0])
AUGMENT: dict[str, Any] = dict(padding=4, flip_prob=0.5)


def preprocessor(**settings: Any) -> CropFlipDataPreprocessor:
    kind = 'mmkd.CropFlipDataPreprocessor'
    return MODELS.build(dict(type=kind, **{**AUGMENT, **settings}))


def images(count: int, height: int = 32, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, height, width)
    return torch.randint(1, 256, shape, dtype=torch.uint8, generator=generator)


def batch(inputs: Tensor, first: int = 0) -> dict[str, Any]:
    """A batch as a loader returns it, with consecutive keys from ``first``."""
    samples = [
        DataSample(metainfo=dict(view_key=hash((5, first + number)))).set_gt_label(1)
        for number in range(len(inputs))
    ]
    return dict(inputs=inputs, data_samples=samples)


def views(inputs: Tensor, first: int = 0, **settings: Any) -> Tensor:
    return preprocessor(**settings)(batch(inputs, first), training=True)['inputs']


def cut(image: np.ndarray, top: int, left: int, flipped: bool, by: int) -> np.ndarray:
    """Crop and flip one image ``(C, H, W)`` by slicing."""
    _, height, width = image.shape
    padded = np.pad(image, [(0, 0), (by, by), (by, by)])
    window = padded[:, top : top + height, left : left + width]
    return window[:, :, ::-1] if flipped else window


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
@pytest.mark.parametrize(('size', 'by'), [((32, 32), 4), ((5, 9), 2), ((7, 3), 0)])
def test_every_window_is_that_of_its_image(
    size: tuple[int, int], by: int, dtype: torch.dtype
) -> None:
    inputs = images(40, *size).to(dtype)
    rng = np.random.default_rng(0)
    top, left = rng.integers(0, 2 * by + 1, (2, 40))
    flipped = rng.integers(0, 2, 40)

    found = crop_and_flip(inputs, *map(torch.from_numpy, (top, left, flipped)), by)

    assert found.dtype is dtype
    assert found.is_contiguous()
    for number, view in enumerate(found):
        place = top[number], left[number], flipped[number], by
        assert np.array_equal(view, cut(inputs[number].numpy(), *place)), number


def number_of_view(view: np.ndarray, known: dict[bytes, int]) -> int:
    return known[np.ascontiguousarray(view).tobytes()]


def test_views_are_those_of_mmpretrain_and_as_frequent() -> None:
    """9 x 9 windows and the mirror image of each, all equally often."""
    image = images(1)[0]
    places = list(product(range(9), range(9), (False, True)))
    known = {
        np.ascontiguousarray(cut(image.numpy(), *place, by=4)).tobytes(): number
        for number, place in enumerate(places)
    }
    assert len(known) == 162
    steps = [
        TRANSFORMS.build(dict(type='RandomCrop', crop_size=32, padding=4)),
        TRANSFORMS.build(dict(type='RandomFlip', prob=0.5, direction='horizontal')),
    ]
    theirs, np_state = set(), np.random.get_state()
    np.random.seed(0)
    for _ in range(2500):
        data = dict(img=image.permute(1, 2, 0).numpy())
        for step in steps:
            data = step(data)
        theirs.add(number_of_view(data['img'].transpose(2, 0, 1), known))
    np.random.set_state(np_state)
    assert len(theirs) == 162

    ours = [
        number_of_view(view.to(torch.uint8).numpy(), known)
        for first in range(0, 16200, 810)
        for view in views(image.expand(810, -1, -1, -1), first)
    ]

    counts = np.bincount(ours, minlength=162)
    # Chi-squared with 161 degrees of freedom: exceeded by chance once in 10,000.
    assert (np.square(counts - 100) / 100).sum() < 234


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_flips_are_as_frequent_as_asked_for(share: float) -> None:
    inputs = images(4000, 2, 2)
    found = views(inputs, padding=0, flip_prob=share) == inputs.flip(3)
    assert found.all((1, 2, 3)).double().mean() == pytest.approx(share, abs=0.03)


def test_how_a_batch_is_split_has_no_part_in_it() -> None:
    inputs = images(24)
    whole = views(inputs)
    halves = torch.cat([views(inputs[:9]), views(inputs[9:], first=9)])
    turned = batch(inputs)
    turned = dict(
        inputs=inputs.flip(0), data_samples=list(reversed(turned['data_samples']))
    )
    assert torch.equal(halves, whole)
    assert torch.equal(preprocessor()(turned, True)['inputs'].flip(0), whole)


def test_nothing_is_drawn_from_the_random_numbers_of_others() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = views(images(8))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    torch.manual_seed(4)
    assert torch.equal(views(images(8)), first)


def test_the_rest_is_mmpretrains() -> None:
    plain = MODELS.build(
        dict(type='mmpretrain.ClsDataPreprocessor', to_rgb=True, **NORMALISE)
    )
    own = preprocessor(to_rgb=True, **NORMALISE)
    inputs = images(6)
    expected = plain(batch(views(inputs)), training=True)['inputs']
    assert torch.equal(own(batch(inputs), training=True)['inputs'], expected)
    assert own.state_dict().keys() == plain.state_dict().keys()


def test_outside_training_it_is_mmpretrains() -> None:
    plain = MODELS.build(dict(type='mmpretrain.ClsDataPreprocessor', **NORMALISE))
    data = dict(inputs=images(6), data_samples=[DataSample() for _ in range(6)])
    expected = plain(data)['inputs']
    assert torch.equal(preprocessor(**NORMALISE)(data)['inputs'], expected)


def test_a_batch_is_left_as_it_was() -> None:
    """Hooks see it, and may pass it in again."""
    data, model = batch(images(6)), preprocessor()
    before = data['inputs'].clone()
    first = model(data, training=True)['inputs']
    assert torch.equal(data['inputs'], before)
    assert torch.equal(model(data, training=True)['inputs'], first)


def test_images_may_be_mixed_as_well() -> None:
    mixup = dict(augments=dict(type='Mixup', alpha=0.8))
    model = preprocessor(batch_augments=mixup, num_classes=4)
    found = model(batch(images(6)), training=True)
    assert found['data_samples'][0].gt_score.sum() == pytest.approx(1)


def test_images_that_are_not_stacked_are_refused() -> None:
    data = batch(images(2))
    data['inputs'] = [torch.zeros(3, 32, 32), torch.zeros(3, 30, 32)]
    with pytest.raises(ValueError, match=r"got a list: set .*'default_collate'"):
        preprocessor()(data, training=True)


def test_samples_without_a_key_are_refused() -> None:
    """Such as those of a pipeline that may crop and flip them itself."""
    data = dict(inputs=images(2), data_samples=[DataSample(), DataSample()])
    for given in (data, dict(inputs=images(2))):
        with pytest.raises(ValueError, match=r'in_memory=True.*only PackInputs'):
            preprocessor()(given, training=True)


@pytest.mark.parametrize('wrong', [dict(padding=-1), dict(flip_prob=1.5)])
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r'got (-1 and 0\.5|4 and 1\.5)'):
        preprocessor(**wrong)
