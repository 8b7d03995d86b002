import pytest
import torch

from mmkd.loss_groups import LossGroups, groups_of, sum_of_groups


def test_groups_travel_on_their_sum() -> None:
    groups = LossGroups(torch.tensor(2.0), torch.tensor(3.0))

    total = sum_of_groups(groups)

    assert total == 5
    assert groups_of(total) is groups


def test_sum_of_one_group_is_that_group() -> None:
    groups = LossGroups(torch.tensor(2.0), None)

    assert sum_of_groups(groups) == 2
    assert groups_of(sum_of_groups(groups)).distillation is None


def test_a_loss_that_was_not_put_together_is_refused() -> None:
    derived = sum_of_groups(LossGroups(torch.tensor(2.0), None)) * 1

    with pytest.raises(TypeError, match='need the loss of a Distiller'):
        groups_of(derived)
