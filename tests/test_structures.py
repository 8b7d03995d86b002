import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mmkd.structures import Targets


def test_valid_positions_are_those_with_a_class() -> None:
    targets = Targets(torch.tensor([[0, 255], [255, 2]]), ignore_index=255)

    assert targets.valid.tolist() == [[True, False], [False, True]]
    assert Targets(torch.tensor([0, 255])).valid.all()


def test_targets_are_resized_by_majority() -> None:
    labels = torch.tensor([[[3, 0, 1, 1, 2, 2], [3, 5, 6, 6, 5, 5]]])
    targets = Targets(labels, ignore_index=5)

    small = targets.resized((1, 3))

    assert small.labels.dtype == torch.int64
    assert small.labels.tolist() == [[[3, 5, 5]]]
    assert small.ignore_index == 5
    assert targets.resized((1, 3)) is small
    assert targets.resized(labels.shape[1:]) is targets
    assert targets.resized((4, 12)).resized((2, 6)).labels.equal(labels)


def test_cells_lie_around_points_where_corners_are_aligned() -> None:
    labels = torch.tensor([[[0, 0, 2, 1, 2, 1, 2, 3, 3]]])

    assert Targets(labels).resized((1, 3)).labels.tolist() == [[[0, 1, 3]]]
    aligned = Targets(labels, align_corners=True).resized((1, 3))
    assert aligned.labels.tolist() == [[[0, -100, 3]]]


def test_largest_labels_are_kept_exactly() -> None:
    labels = torch.tensor([[[65535, -100], [0, 255]]])

    assert Targets(labels).resized((4, 4)).labels.unique().tolist() == [
        -100,
        0,
        255,
        65535,
    ]


def test_targets_of_images_have_no_size() -> None:
    targets = Targets(torch.tensor([0, 1]))

    assert targets.resized(()) is targets


def test_cross_entropy_is_a_mean_over_valid_positions() -> None:
    logits = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    labels = torch.randint(3, (2, 4, 5))
    labels[0, :2] = 9

    loss = Targets(labels, ignore_index=9).cross_entropy(logits)

    terms = [
        -logits[n, :, y, x].log_softmax(0)[labels[n, y, x]]
        for n, y, x in (labels != 9).nonzero()
    ]
    torch.testing.assert_close(loss.double(), torch.stack(terms).mean())


def test_cross_entropy_resizes_labels_to_the_logits() -> None:
    logits = torch.randn(2, 3, 2, 2)
    labels = torch.randint(3, (2, 2, 2))
    large = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)

    torch.testing.assert_close(
        Targets(large).cross_entropy(logits), F.cross_entropy(logits, labels)
    )


def test_cross_entropy_of_soft_targets() -> None:
    logits, scores = torch.randn(4, 3), torch.rand(4, 3).softmax(1)
    labels = scores.argmax(1)

    loss = Targets(labels, scores).cross_entropy(logits)

    torch.testing.assert_close(loss, -(scores * logits.log_softmax(1)).sum(1).mean())


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_cross_entropy_of_half_precision(dtype: torch.dtype) -> None:
    logits = torch.randn(4, 3).to(dtype)
    labels = torch.tensor([0, 1, 2, 0])

    loss = Targets(labels).cross_entropy(logits)

    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, F.cross_entropy(logits.float(), labels))


def test_cross_entropy_without_a_class_is_zero() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    labels = torch.full((1, 2, 2), 255)

    loss = Targets(labels, ignore_index=255).cross_entropy(logits)
    loss.backward()

    assert loss == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize('classes', [1, 3])
def test_cross_entropy_of_classes_by_themselves_is_binary(classes: int) -> None:
    logits = torch.randn(2, classes, 4, 5, dtype=torch.float64)
    labels = torch.randint(max(classes, 2), (2, 4, 5))
    labels[0, :2] = 9

    loss = Targets(labels, ignore_index=9, exclusive=False).cross_entropy(logits)

    terms = []
    for n, y, x in (labels != 9).nonzero().tolist():
        for k in range(classes):
            p = logits[n, k, y, x].sigmoid()
            true = int(labels[n, y, x]) == (1 if classes == 1 else k)
            terms.append(-(p if true else 1 - p).log())
    expected = torch.stack(terms).sum() / (labels != 9).sum()
    torch.testing.assert_close(loss.double(), expected)


def test_one_channel_is_binary_whatever_the_loss() -> None:
    logits, labels = torch.randn(4, 1), torch.tensor([0, 1, 1, 0])

    torch.testing.assert_close(
        Targets(labels).cross_entropy(logits),
        F.binary_cross_entropy_with_logits(logits[:, 0], labels.float()),
    )


def test_cross_entropy_of_several_labels() -> None:
    logits, scores = torch.randn(3, 4), torch.tensor([[0, 1, 1, 0], [0] * 4, [1] * 4])
    labels = torch.tensor([1, -100, 0])

    targets = Targets(labels, scores.float(), exclusive=False)

    assert targets.valid.all()
    torch.testing.assert_close(
        targets.cross_entropy(logits),
        4 * F.binary_cross_entropy_with_logits(logits, scores.float()),
    )
