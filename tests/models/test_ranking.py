from pathlib import Path

import pytest
import torch
from mmpretrain.evaluation import AveragePrecision
from torch import Tensor
from two_processes import in_two_processes

from mmkd.models.ranking import Ranking

IMAGES, CLASSES = 40, 5


def ranking_of(labels: Tensor, predictions: Tensor) -> Ranking:
    ranking = Ranking()
    for pair in zip(labels, predictions, strict=True):
        ranking.add(*pair)
    return ranking


@pytest.fixture
def labels() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(IMAGES, CLASSES, generator=generator) < 0.3).float()


@pytest.fixture
def noise() -> Tensor:
    return torch.rand(IMAGES, CLASSES, generator=torch.Generator().manual_seed(2))


def naive(labels: Tensor, predictions: Tensor) -> float:
    """The mean over classes of the precision at each image that has the class."""
    found = []
    for ours, theirs in zip(labels.T.tolist(), predictions.T.tolist(), strict=True):
        ranks = sorted(range(len(ours)), key=lambda n: -theirs[n])
        hits = [rank for rank, n in enumerate(ranks, 1) if ours[n]]
        precisions = [(n + 1) / rank for n, rank in enumerate(hits)]
        found.append(sum(precisions) / len(precisions))
    return 100 * sum(found) / len(found)


def test_the_score_is_the_mean_average_precision(labels: Tensor, noise: Tensor) -> None:
    ranking = ranking_of(labels, noise)
    assert ranking.score == pytest.approx(naive(labels, noise), rel=1e-5)
    assert ranking.score == pytest.approx(
        AveragePrecision.calculate(noise, labels).item()
    )


def test_only_the_order_of_predictions_counts(labels: Tensor, noise: Tensor) -> None:
    assert ranking_of(labels, noise).score == ranking_of(labels, 3 * noise - 1).score
    assert ranking_of(labels, labels).score == pytest.approx(100)


def test_classes_that_no_image_or_each_one_has_do_not_count(
    labels: Tensor, noise: Tensor
) -> None:
    more = torch.cat([labels, torch.zeros(IMAGES, 1), torch.ones(IMAGES, 1)], 1)
    wide = torch.cat([noise, noise[:, :2]], 1)
    assert ranking_of(more, wide).score == ranking_of(labels, noise).score


def test_chance_seldom_beats_what_is_to_be_beaten(labels: Tensor) -> None:
    passed = 0
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        ranking = ranking_of(labels, torch.rand(labels.shape, generator=generator))
        passed += ranking.score > ranking.to_beat
    # At most one in a hundred is expected.
    assert passed <= 3


def test_neither_does_knowledge_of_other_classes(labels: Tensor) -> None:
    # The first class is in most images of the second.
    labels[:, 0] = torch.maximum(labels[:, 0], labels[:, 1])
    for shift in range(1, CLASSES):
        ranking = ranking_of(labels, labels.roll(shift, 1))
        assert ranking.score <= ranking.to_beat
    assert ranking_of(labels, labels).score > ranking_of(labels, labels).to_beat


def test_one_class_is_ranked_too(labels: Tensor, noise: Tensor) -> None:
    one, random = labels[:, :1], noise[:, :1]
    assert ranking_of(one, one).score > ranking_of(one, one).to_beat
    assert ranking_of(one, random).score <= ranking_of(one, random).to_beat


def test_a_little_knowledge_beats_it(labels: Tensor, noise: Tensor) -> None:
    ranking = ranking_of(labels, noise + 0.3 * labels)
    assert naive(labels, noise) < ranking.to_beat < ranking.score < 80


def test_labels_that_tell_nothing_are_named(labels: Tensor, noise: Tensor) -> None:
    assert Ranking().lacks == 'no labels'
    assert ranking_of(torch.zeros_like(labels), noise).lacks == 'no labels'
    same = labels[:1].expand_as(labels)
    assert ranking_of(same, noise).lacks == 'only identical labels'
    assert ranking_of(labels, noise).lacks == ''


def test_processes_share_their_images(
    labels: Tensor, noise: Tensor, tmp_path: Path
) -> None:
    # A share may have one image more than the other.
    def work(rank: int) -> None:
        ranking = ranking_of(labels[rank:-1:2], noise[rank:-1:2])
        ranking.gather()
        alone = ranking_of(labels[:-1], noise[:-1])
        assert ranking.score == alone.score
        assert ranking.to_beat == alone.to_beat

    in_two_processes(work, tmp_path)
