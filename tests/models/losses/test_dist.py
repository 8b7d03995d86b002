import numpy as np
import pytest
import torch
from torch import Tensor

from mmkd.models.losses import DISTLoss
from mmkd.models.losses.dist import pearson_distances


def correlations(a: Tensor, b: Tensor) -> Tensor:
    pairs = zip(a.numpy(), b.numpy(), strict=True)
    return torch.tensor([np.corrcoef(x, y)[0, 1] for x, y in pairs])


@pytest.mark.parametrize('tau', [1.0, 4.0])
def test_agrees_with_numpy(tau: float) -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 8, 5, dtype=torch.float64)
    s, t = (student / tau).softmax(1), (teacher / tau).softmax(1)
    between = 1 - correlations(s, t).mean()
    within = 1 - correlations(s.T, t.T).mean()
    loss = DISTLoss(beta=2.0, gamma=3.0, tau=tau)(student, teacher)
    # The guard of 1e-8 against constant rows has an effect here.
    torch.testing.assert_close(
        loss, tau**2 * (2 * between + 3 * within), rtol=1e-5, atol=0
    )


def test_by_hand() -> None:
    # Deviations (-1, 0, 1) against (-1, 1, 0): covariance 1, variances 2 and 2.
    a, b = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.0, 2.0, 1.0]])
    assert pearson_distances(a, b).item() == pytest.approx(0.5)
    assert pearson_distances(a, a).item() == pytest.approx(0, abs=1e-6)
    assert pearson_distances(a, -a).item() == pytest.approx(2)


def test_relations_do_not_change_under_positive_affine_maps() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 8, 5, dtype=torch.float64).softmax(2)
    for s, t in ((student, teacher), (student.T, teacher.T)):
        scale = torch.rand(len(s), 1, dtype=torch.float64) + 0.5
        shift = torch.randn(len(s), 1, dtype=torch.float64)
        expected = pearson_distances(s, t)
        torch.testing.assert_close(
            pearson_distances(scale * s + shift, t), expected, rtol=1e-6, atol=0
        )
        torch.testing.assert_close(
            pearson_distances(s, 3 * t - 1), expected, rtol=1e-6, atol=0
        )
        assert ((pearson_distances(-s, t) - expected).abs() > 1e-2).all()


def test_equal_rows_are_at_no_distance() -> None:
    # Probabilities that differ by less than the guard of 1e-8 can resolve.
    logits = (1e-5 * torch.randn(6, 4)).requires_grad_()
    loss = DISTLoss()(logits, logits.detach())
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
    assert DISTLoss()(logits, -logits.detach()) > 1


def test_one_sample_has_no_relation_within_classes() -> None:
    student = torch.randn(1, 5, requires_grad=True)
    loss = DISTLoss(beta=0.0)(student, torch.randn(1, 5))
    loss.backward()
    assert loss.item() == 1
    assert not student.grad.any()
