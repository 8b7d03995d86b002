"""Which view a visit sees, with samplers of MMEngine, PyTorch and others."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
)

from mmkd.resilience import numbered_batches
from mmkd.resilience.numbered_batches import NumberedBatches, Place
from mmkd.resilience.reading import Keyed
from mmkd.resilience.start_checks import check_views
from mmkd.resilience.views import Views

SIZE = 10
DATA = list(range(SIZE))


class MySampler(SequentialSampler):
    """A sampler that mmkd does not know."""


def stream(
    sampler: Any, views: Views, batch: int = 3, endless: bool = True, **place: int
) -> Iterator[Keyed]:
    """The keyed indices of a training, one after another."""
    numbered = NumberedBatches()
    numbered.batches = BatchSampler(sampler, batch, drop_last=False)
    start = dict(iteration=0, done=0, endless=endless, epoch=0)
    for indices in numbered.all_from(Place(views, **{**start, **place})):
        yield from indices or ()


def default(seed: int = 3) -> Any:
    return DefaultSampler(DATA, shuffle=True, seed=seed)


def infinite(seed: int = 3) -> Any:
    return InfiniteSampler(DATA, shuffle=True, seed=seed)


@pytest.mark.parametrize('sampler', [default, infinite])
@pytest.mark.parametrize('count', [None, 1, 4])
def test_on_its_visit_v_a_sample_is_seen_as_view_v_mod_count(
    sampler: Any, count: int | None
) -> None:
    visits: dict[int, list[int]] = defaultdict(list)
    for index, (seed, view, sample) in islice(
        stream(sampler(), Views(7, count)), 6 * SIZE
    ):
        assert (seed, sample) == (7, index)
        visits[index].append(view)
    expected = [visit if count is None else visit % count for visit in range(6)]
    assert len(visits) == SIZE
    assert all(views == expected for views in visits.values())


@pytest.mark.parametrize('sampler', [default, infinite])
def test_views_follow_from_neither_batch_nor_order(sampler: Any) -> None:
    """Nor from the training's seed, which determines the order."""
    seen = [
        sorted(islice(stream(sampler(seed), Views(7, 2), batch), 3 * SIZE))
        for seed, batch in ((3, 3), (3, 7), (4, 1))
    ]
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize('sampler', [DefaultSampler, InfiniteSampler])
def test_several_processes_see_the_views_of_one(
    sampler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Counter(
        islice(stream(sampler(DATA, shuffle=True, seed=3), Views(7)), 4 * SIZE)
    )
    shared: Counter[Keyed] = Counter()
    for rank in range(2):
        module = sampler.__module__
        monkeypatch.setattr(f'{module}.get_dist_info', lambda rank=rank: (rank, 2))
        monkeypatch.setattr(
            numbered_batches, 'get_dist_info', lambda rank=rank: (rank, 2)
        )
        own = sampler(DATA, shuffle=True, seed=3)
        shared.update(islice(stream(own, Views(7), batch=2), 2 * SIZE))
    assert shared == alone


def test_epochs_of_a_loop_by_epochs_are_visits() -> None:
    third = list(stream(default(), Views(7, 2), endless=False, iteration=8, epoch=2))
    assert {key[1] for _, key in third} == {0}
    assert len(third) == SIZE


def test_an_index_of_numpys_is_the_number_that_it_is() -> None:
    index = np.arange(5)[3]
    assert Views(7, 2).key(3, index) == Views(7, 2).key(3, 3) == (7, 1, 3)


def test_a_break_changes_no_view() -> None:
    for sampler in (default, infinite):
        straight = list(islice(stream(sampler(), Views(7, 3), batch=5), 40))
        later = stream(sampler(), Views(7, 3), batch=5, iteration=3, done=3)
        assert list(islice(later, 25)) == straight[15:]


@pytest.mark.parametrize(
    ('sampler', 'why'),
    [
        (WeightedRandomSampler([1.0] * SIZE, 30), 'WeightedRandomSampler'),
        (RandomSampler(DATA, replacement=True), 'RandomSampler draws with replacement'),
        (RandomSampler(DATA, num_samples=25), r'RandomSampler\(num_samples'),
        (MySampler(DATA), 'MySampler'),
    ],
)
def test_where_there_are_no_passes_every_draw_is_a_view(sampler: Any, why: str) -> None:
    keys = [key for _, key in islice(stream(sampler, Views(7)), 60)]
    assert len(set(keys)) == 60

    loader = SimpleNamespace(batch_sampler=BatchSampler(sampler, 3, drop_last=False))
    check_views(loader, None)
    with pytest.raises(ValueError, match=rf'views=4: {why}'):
        check_views(loader, 4)


@pytest.mark.parametrize('views', [0, -1, 1.5, True])
def test_a_number_of_views_that_cannot_be(views: Any) -> None:
    loader = SimpleNamespace(batch_sampler=BatchSampler(default(), 3, drop_last=False))
    with pytest.raises(ValueError, match=r'train_cfg\.views must be an integer >='):
        check_views(loader, views)
