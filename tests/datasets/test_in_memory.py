"""A batch read at once equals one read sample by sample."""

import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, DefaultSampler, default_collate
from scipy.io import savemat
from torch.utils.data import DataLoader

from mmkd.datasets import CIFAR100, SVHN
from mmkd.resilience.loader import watch
from mmkd.resilience.numbered_batches import Place
from mmkd.resilience.reading import Keyed, SampleReader
from mmkd.resilience.views import Views

PACK = [dict(type='PackInputs')]
COUNT = 11


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    rng = np.random.default_rng(0)
    (folder / 'cifar-100-python').mkdir()
    content = {
        'data': rng.integers(0, 256, (COUNT, 3072), dtype=np.uint8),
        'fine_labels': rng.integers(0, 100, COUNT).tolist(),
    }
    (folder / 'cifar-100-python' / 'train').write_bytes(pickle.dumps(content))
    digits = rng.integers(0, 256, (32, 32, 3, COUNT), dtype=np.uint8)
    labels = rng.integers(1, 11, (COUNT, 1), dtype=np.uint8)
    savemat(folder / 'train_32x32.mat', {'X': digits, 'y': labels})
    return folder


def build(root: Path, kind: Any = CIFAR100, **settings: Any) -> Any:
    return kind(data_root=str(root), pipeline=PACK, **settings)


def loader_of(dataset: Any, workers: int = 0) -> DataLoader:
    return DataLoader(
        dataset,
        batch_size=4,
        sampler=DefaultSampler(dataset, shuffle=True, seed=3),
        num_workers=workers,
        collate_fn=default_collate,
    )


def trained(dataset: Any, workers: int = 0, done: int = 0) -> list[Any]:
    """The batches of one training epoch."""
    loader = loader_of(dataset, workers)
    watch(loader, numbered=True)
    return list(loader.start(Place(Views(3), done, done, False)))


def keys_of(batches: list[Any]) -> list[int]:
    return [sample.view_key for batch in batches for sample in batch['data_samples']]


def assert_alike(found: list[Any], expected: list[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one['inputs'], other['inputs'])
        for mine, theirs in zip(
            one['data_samples'], other['data_samples'], strict=True
        ):
            assert torch.equal(mine.gt_label, theirs.gt_label)
            assert mine.gt_label.dtype is theirs.gt_label.dtype
            info = {k: v for k, v in mine.metainfo.items() if k != 'view_key'}
            assert info == theirs.metainfo


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('kind', [CIFAR100, SVHN])
def test_batches_are_those_of_single_samples(
    kind: Any, workers: int, root: Path
) -> None:
    single = build(root, kind)
    whole = build(root, kind, in_memory=True)
    assert_alike(trained(whole, workers), trained(single))
    assert_alike(list(loader_of(whole, workers)), list(loader_of(single)))


def test_some_of_the_samples_and_from_the_end(root: Path) -> None:
    single = build(root, indices=[2, 9, 4])
    whole = build(root, indices=[2, 9, 4], in_memory=True)
    assert len(whole) == 3
    assert_alike(
        [default_collate(whole.read_batch([1, -1]))],
        [default_collate([single[1], single[-1]])],
    )


def test_keys_follow_from_the_place_in_the_training(root: Path) -> None:
    whole = build(root, in_memory=True)
    expected = keys_of(trained(whole))
    assert len(set(expected)) == COUNT
    random.seed(1)
    assert keys_of(trained(whole, workers=2)) == expected
    # After an interruption, and in any batch.
    reader = SampleReader(whole)
    indices = [sample.sample_idx for sample in trained(whole)[1]['data_samples']]
    places = [Keyed(index, Views(3).key(0, index)) for index in indices]
    apart = [default_collate(reader.__getitems__(places[n : n + 2])) for n in (0, 2)]
    assert keys_of(apart) == expected[4:8]
    assert keys_of(trained(whole, done=1)) == expected[4:]


def test_elsewhere_keys_are_drawn_as_transforms_draw(root: Path) -> None:
    loader = loader_of(build(root, in_memory=True))
    random.seed(1)
    first = keys_of(list(loader))
    assert len(set(first)) == COUNT
    assert keys_of(list(loader)) != first
    random.seed(1)
    assert keys_of(list(loader)) == first


def test_in_another_data_set_keys_follow_from_the_place_too(root: Path) -> None:
    both = ConcatDataset([build(root, in_memory=True), build(root, in_memory=True)])
    expected = keys_of(trained(both))
    assert len(set(expected)) == 2 * COUNT
    assert keys_of(trained(both, workers=2, done=2)) == expected[8:]


def test_hooks_read_samples_as_ever(root: Path) -> None:
    single, whole = build(root), build(root, in_memory=True)
    assert np.array_equal(whole.get_gt_labels(), single.get_gt_labels())
    assert whole.metainfo == single.metainfo
    info, expected = whole.get_data_info(3), single.get_data_info(3)
    assert np.array_equal(info.pop('img'), expected.pop('img'))
    assert info == expected
    assert torch.equal(whole[3]['inputs'], single[3]['inputs'])


CROP = dict(type='RandomCrop', crop_size=32, padding=4)


def test_a_pipeline_that_augments_too_is_refused(root: Path) -> None:
    message = r"whole batches.*\['RandomCrop', 'PackInputs'\].*CropFlipData"
    with pytest.raises(ValueError, match=message):
        CIFAR100(data_root=str(root), in_memory=True, pipeline=[CROP, *PACK])


def test_a_pipeline_that_a_hook_has_exchanged_is_refused(root: Path) -> None:
    """Instead of being silently ignored."""
    whole = build(root, in_memory=True)
    whole.pipeline = build(root).pipeline
    trained(whole)
    whole.pipeline = CIFAR100(data_root=str(root), pipeline=[CROP, *PACK]).pipeline
    with pytest.raises(ValueError, match='RandomCrop'):
        trained(whole)
