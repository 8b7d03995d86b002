"""A watched loader is the user's own loader."""

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mmengine.dataset import (
    BaseDataset,
    DefaultSampler,
    InfiniteSampler,
    pseudo_collate,
)
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
)

from mmkd.resilience.loader import refuse_endless, watch
from mmkd.resilience.numbered_batches import Place
from mmkd.resilience.views import Views


class Numbers(BaseDataset):
    METAINFO: ClassVar[dict] = dict(classes=('a',))

    def load_data_list(self) -> list[dict[str, int]]:
        return [dict(number=number) for number in range(10)]


class Scaled:
    """A transform that may be replaced."""

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        return dict(number=data['number'] * self.by, noise=random.random())


class OwnLoader(DataLoader):
    """A loader class of a user."""

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
    first = numbers(loader.start(Place(Views(3), 0, 0, False)))

    loader.dataset.pipeline.transforms = [Scaled(100)]
    loader._iterator = None

    second = numbers(loader.start(Place(Views(3), 4, 0, False)))
    assert second == [100 * number for number in first]


@pytest.mark.parametrize('workers', [0, 2])
def test_an_iteration_of_a_hook_reads_one_epoch_from_its_start(workers: int) -> None:
    loader = loader_of(workers)
    watch(loader, numbered=True)
    whole = numbers(loader.start(Place(Views(3), 0, 0, False)))
    assert numbers(loader.start(Place(Views(3), 2, 2, False))) == whole[6:]
    assert numbers(iter(loader)) == whole


def test_random_numbers_follow_from_the_place_alone() -> None:
    one, other = loader_of(0), loader_of(2)
    for loader in (one, other):
        watch(loader, numbered=True)
    straight = list(islice(one.start(Place(Views(3), 0, 0, True)), 12))
    for done in (0, 3, 4, 9):
        batches = other.start(Place(Views(3), done, done, True))
        for number in range(done, 12):
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


class Endless(Sampler):
    """A user's sampler; its length is that of an epoch, as in InfiniteSampler."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.generator = torch.Generator().manual_seed(3)
        self.drawn = 0

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[int]:
        while True:
            self.drawn += 1
            yield int(torch.randint(len(self), (), generator=self.generator))


class Unknown(Endless):
    def __len__(self) -> int:
        raise TypeError('it has none')


class EndlessBatches(BatchSampler):
    def __iter__(self) -> Iterator[list[int]]:
        while True:
            yield from super().__iter__()


@pytest.mark.parametrize('kind', [InfiniteSampler, Endless, Unknown])
def test_an_endless_sampler_is_refused_by_epochs(kind: Any) -> None:
    loader = DataLoader(range(4), sampler=kind(range(4)))
    with pytest.raises(ValueError, match=f'{kind.__name__} .*DefaultSampler'):
        refuse_endless(loader)


def test_endless_batches_are_refused_by_epochs() -> None:
    batches = EndlessBatches(SequentialSampler(range(4)), 2, False)
    with pytest.raises(ValueError, match='EndlessBatches never ends'):
        refuse_endless(DataLoader(range(4), batch_sampler=batches))


def test_a_sampler_is_tried_without_a_trace() -> None:
    sampler = Endless(range(4))
    random.seed(3)
    torch.manual_seed(3)
    before = sampler.generator.get_state(), torch.get_rng_state(), random.getstate()
    with pytest.raises(ValueError, match='Endless never ends'):
        refuse_endless(DataLoader(range(4), sampler=sampler))
    assert sampler.drawn == 0
    assert torch.equal(sampler.generator.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2]


class ThreeTimes(DefaultSampler):
    """Yields more than its length."""

    def __iter__(self) -> Iterator[int]:
        return iter([*super().__iter__()] * 3)


@pytest.mark.parametrize('kind', [DefaultSampler, ThreeTimes, RandomSampler])
def test_others_are_taken(kind: Any) -> None:
    refuse_endless(DataLoader(range(4), sampler=kind(range(4))))
    refuse_endless(DataLoader(range(4), sampler=kind(range(4)), batch_size=8))


def exchange_pipeline(runner: Runner) -> None:
    runner.train_dataloader.dataset.pipeline.transforms = [Scaled(100)]


def exchange_data(runner: Runner) -> None:
    # As MMDetection's hooks change attributes that PyTorch protects.
    loader = runner.train_dataloader
    loader._DataLoader__initialized = False
    loader.dataset = Numbers(pipeline=[Scaled(100)], ann_file='')
    loader._DataLoader__initialized = True


def exchange_sampler(runner: Runner) -> None:
    loader = runner.train_dataloader
    sampler = DefaultSampler(loader.dataset, shuffle=False)
    loader._DataLoader__initialized = False
    loader.sampler, loader.batch_sampler = sampler, BatchSampler(sampler, 2, False)
    loader._DataLoader__initialized = True


def exchange_loader(runner: Runner) -> None:
    data = Numbers(pipeline=[Scaled(100)], ann_file='')
    runner.train_loop.dataloader = DataLoader(
        data,
        batch_size=4,
        sampler=DefaultSampler(data, shuffle=True, seed=3),
        collate_fn=pseudo_collate,
    )


class Exchange(Hook):
    """Replaces something during the first epoch, and records what is read."""

    def __init__(self, exchange: Any, restart: bool) -> None:
        self.exchange = exchange
        self.restart = restart
        self.seen: list[list[int]] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        if runner.iter == 1:
            self.exchange(runner)
            if self.restart:
                runner.train_dataloader._iterator = None
        self.seen.append(data_batch['number'])


class Net(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, number: Any, noise: Any, mode: str = 'loss') -> Any:
        return dict(loss=self.weight * float(np.sum(number)))


@pytest.mark.parametrize(
    ('exchange', 'loop', 'reading'),
    [
        (exchange_pipeline, 'Epoch', 'here'),
        (exchange_pipeline, 'Epoch', 'workers that stay'),
        (exchange_pipeline, 'Iter', 'workers'),
        (exchange_data, 'Epoch', 'workers'),
        (exchange_data, 'Iter', 'workers that stay'),
        (exchange_sampler, 'Iter', 'here'),
        (exchange_loader, 'Epoch', 'here'),
        (exchange_loader, 'Iter', 'here'),
    ],
)
def test_hooks_do_what_they_do_under_mmengine(
    exchange: Any,
    loop: str,
    reading: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # MMEngine sleeps between two epochs.
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    stay = reading == 'workers that stay'
    length = dict(max_epochs=2) if loop == 'Epoch' else dict(max_iters=9)
    found = []
    for kind in (f'{loop}BasedTrainLoop', f'mmkd.Resumable{loop}Loop'):
        hook = Exchange(exchange, restart=stay)
        runner = Runner(
            Net(),
            str(tmp_path / kind),
            train_dataloader=dict(
                batch_size=3,
                num_workers=0 if reading == 'here' else 2,
                persistent_workers=stay,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=Numbers(pipeline=[Scaled(1)], ann_file=''),
                collate_fn=dict(type='pseudo_collate'),
            ),
            train_cfg=dict(type=kind, **length),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[hook],
            randomness=dict(seed=3),
            experiment_name=f'{tmp_path.name}_{kind}',
            log_level='ERROR',
        )
        runner.train()
        found.append(hook.seen)
    assert found[0] == found[1]
