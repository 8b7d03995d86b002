"""A watched loader is the user's own loader."""

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, DefaultSampler, pseudo_collate
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from mmkd.resilience.loader import Place, refuse_endless, watch


class Numbers(BaseDataset):
    METAINFO: ClassVar[dict] = dict(classes=('a',))

    def load_data_list(self) -> list[dict[str, int]]:
        return [dict(number=number) for number in range(10)]


class Scaled:
    """A transform that may be exchanged."""

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        return dict(number=data['number'] * self.by, noise=random.random())


class OwnLoader(DataLoader):
    """A user's own kind of loader."""

    def twice(self) -> int:
        return 2 * len(self)


def loader_of(workers: int, kind: Any = DataLoader, **settings: Any) -> Any:
    data = Numbers(pipeline=[Scaled(1)], ann_file='')
    return kind(
        data,
        batch_size=3,
        sampler=DefaultSampler(data, shuffle=True, seed=3),
        num_workers=workers,
        collate_fn=pseudo_collate,
        persistent_workers=workers > 0,
        **settings,
    )


def numbers(batches: Iterator[Any]) -> list[int]:
    return [number for batch in batches for number in batch['number']]


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('kind', [DataLoader, OwnLoader])
def test_all_but_the_iteration_is_the_loaders_own(workers: int, kind: Any) -> None:
    loader = loader_of(workers, kind, drop_last=True)
    before = dict(vars(loader))

    watch(loader, numbered=True)

    assert isinstance(loader, kind)
    assert isinstance(loader.dataset, Numbers)
    for name, value in before.items():
        assert vars(loader)[name] is value, name
    assert (loader.batch_size, len(loader), loader.drop_last) == (3, 3, True)
    if kind is OwnLoader:
        assert loader.twice() == 6


@pytest.mark.parametrize('workers', [0, 2])
def test_a_pipeline_that_is_exchanged_is_the_next_epochs(workers: int) -> None:
    """As MMPretrain's SwitchRecipeHook does."""
    loader = loader_of(workers)
    watch(loader, numbered=True)
    first = numbers(loader.start(Place(3, 0, 0, False)))

    loader.dataset.pipeline.transforms = [Scaled(100)]
    loader._iterator = None

    assert numbers(loader.start(Place(3, 4, 0, False))) == [100 * n for n in first]


@pytest.mark.parametrize('workers', [0, 2])
def test_an_iteration_of_a_hook_reads_one_epoch_from_its_start(workers: int) -> None:
    loader = loader_of(workers)
    watch(loader, numbered=True)
    whole = numbers(loader.start(Place(3, 0, 0, False)))
    assert numbers(loader.start(Place(3, 2, 2, False))) == whole[6:]
    assert numbers(iter(loader)) == whole


def test_random_numbers_follow_from_the_place_alone() -> None:
    one, other = loader_of(0), loader_of(2)
    for loader in (one, other):
        watch(loader, numbered=True)
    straight = list(islice(one.start(Place(3, 0, 0, True)), 8))
    for done in (0, 3, 5):
        batches = other.start(Place(3, done, done, True))
        for number in range(done, 8):
            assert next(batches) == straight[number]


def test_nothing_is_read_before_the_training_starts() -> None:
    loader = loader_of(0)
    watch(loader, numbered=True)
    assert list(loader) == []


def test_loaders_without_indices() -> None:
    class Stream(IterableDataset):
        def __iter__(self) -> Iterator[int]:
            return iter(range(4))

    loader = DataLoader(Stream(), batch_size=2)
    watch(loader)
    assert type(loader) is DataLoader
    assert len(list(loader)) == 2
    with pytest.raises(TypeError, match=r'a data\s+set with indices, got Stream'):
        watch(loader, numbered=True)


@pytest.mark.parametrize('name', ['InfiniteSampler', 'OwnInfiniteSampler'])
def test_an_endless_sampler_is_refused(name: str) -> None:
    sampler = type(name, (DefaultSampler,), {})(range(4))
    with pytest.raises(ValueError, match=f'{name} never ends'):
        refuse_endless(DataLoader(range(4), sampler=sampler))
    refuse_endless(DataLoader(range(4), sampler=DefaultSampler(range(4))))


class Exchange(Hook):
    """Exchanges the pipeline after the first epoch, and notes what is read."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def after_train_epoch(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        loader.dataset.pipeline.transforms = [Scaled(100)]
        loader._iterator = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        assert runner.train_dataloader.batch_size == 3
        self.seen.append(data_batch['number'])


@pytest.mark.parametrize('workers', [0, 2])
def test_hooks_see_what_they_see_under_mmengine(workers: int, tmp_path: Path) -> None:
    class Net(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, number: Any, noise: Any, mode: str = 'loss') -> Any:
            return dict(loss=self.weight * float(np.sum(number)))

    found = []
    for loop in ('EpochBasedTrainLoop', 'mmkd.ResumableEpochLoop'):
        hook = Exchange()
        runner = Runner(
            Net(),
            str(tmp_path / loop),
            train_dataloader=dict(
                batch_size=3,
                num_workers=workers,
                persistent_workers=workers > 0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=Numbers(pipeline=[Scaled(1)], ann_file=''),
                collate_fn=dict(type='pseudo_collate'),
            ),
            train_cfg=dict(type=loop, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[hook],
            randomness=dict(seed=3),
            experiment_name=f'{tmp_path.name}_{loop}',
            log_level='ERROR',
        )
        runner.train()
        found.append(hook.seen)
    assert found[0] == found[1]
    assert max(found[0][-1]) >= 100
