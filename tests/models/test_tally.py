import pytest
import torch

from mmkd.models.tally import Tally


@pytest.mark.parametrize('mean_iou', [False, True])
def test_scores_are_those_of_a_naive_count(mean_iou: bool) -> None:
    torch.manual_seed(0)
    tally = Tally(5, mean_iou)
    labels, predictions = torch.randint(5, (2, 3, 40))
    labels[labels == 4] = 255
    predictions[0, :9] = -1
    for pair in zip(labels, predictions, strict=True):
        tally.add(*pair)

    def naive(predicted: torch.Tensor) -> float:
        known = labels != 255
        if not mean_iou:
            return float(100 * (predicted == labels)[known].float().mean())
        ious = []
        for number in range(5):
            ours, theirs = (predicted == number) & known, labels == number
            if theirs.any():
                ious.append(float((ours & theirs).sum() / (ours | theirs).sum()))
        return 100 * sum(ious) / len(ious)

    assert tally.score == pytest.approx(naive(predictions))
    constants = [naive(torch.full_like(labels, number)) for number in range(4)]
    assert tally.to_beat == pytest.approx(max(constants))


def test_a_class_that_the_tally_has_not_is_wrong_for_all() -> None:
    tally = Tally(2, mean_iou=True)
    tally.add(torch.tensor([0, 1, 1, 255]), torch.tensor([-1, 1, 1, -1]))
    assert tally.score == 50
    assert tally.metric == 'mIoU'


def test_a_class_that_a_sample_lacks_counts_against_none_but_the_confused() -> None:
    tally = Tally(3, mean_iou=True)
    tally.add(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 2, 1, 1]))
    assert tally.score == 75
    assert tally.lacks == ''
