import torch

from mmkd.models.group_means import class_groups, group_means


def test_means_are_those_of_a_loop() -> None:
    torch.manual_seed(0)
    labels, mask = torch.randint(3, (2, 4, 5)), torch.rand(2, 4, 5) < 0.7
    features = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    groups, count = class_groups(labels, mask, 3)
    means, sizes = group_means(features.flatten(0, 2), groups.flatten(), count)
    assert means.shape == (8, 6)
    for image in range(2):
        for label in range(4):
            chosen = (labels[image] == label) & mask[image]
            chosen = ~mask[image] if label == 3 else chosen
            row = 4 * image + label
            assert sizes[row] == chosen.sum()
            torch.testing.assert_close(means[row], features[image][chosen].mean(0))


def test_an_empty_group_is_zero() -> None:
    groups, count = class_groups(torch.tensor([[1, 1]]), None, 2)
    means, sizes = group_means(torch.tensor([[1.0], [3.0]]), groups.flatten(), count)
    assert means.tolist() == [[0], [2], [0]]
    assert sizes.tolist() == [0, 2, 0]


def test_labels_that_do_not_count_may_be_anything() -> None:
    labels = torch.tensor([[0, 255], [-1, 1]])
    mask = torch.tensor([[True, False], [False, True]])
    groups, count = class_groups(labels, mask, 2)
    assert groups.tolist() == [[0, 2], [5, 4]]
    assert count == 6
