import math

import pytest
import torch

from mmkd.models.losses import DKDLoss, KLDivergenceLoss
from mmkd.models.losses.dkd import decoupled_kl


def test_by_hand() -> None:
    # Teacher (1/2, 1/3, 1/6), student uniform, target class 0. Target part:
    # (1/2, 1/2) against (1/3, 2/3); the others: (2/3, 1/3) against (1/2, 1/2).
    teacher = torch.tensor([[1 / 2, 1 / 3, 1 / 6]], dtype=torch.float64).log()
    student = torch.zeros(1, 3, dtype=torch.float64)
    target = 0.5 * math.log(3 / 2) + 0.5 * math.log(3 / 4)
    others = 2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3)
    loss = DKDLoss(alpha=2.0, beta=3.0, tau=1.0)
    value = loss(student, teacher, torch.tensor([0]))
    assert value.item() == pytest.approx(2 * target + 3 * others, rel=1e-12)


def test_agrees_with_probabilities_written_out() -> None:
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 6, 5, dtype=torch.float64)
    labels = torch.arange(6) % 5
    expected = 0.0
    for s, t, label in zip(student / 4, teacher / 4, labels, strict=True):
        q, p, others = s.softmax(0), t.softmax(0), torch.arange(5) != label
        pairs = [(p[label], q[label]), (1 - p[label], 1 - q[label])]
        target = sum(a * (a / b).log() for a, b in pairs)
        p, q = p[others] / p[others].sum(), q[others] / q[others].sum()
        expected += 16 / 6 * (target + 8 * (p * (p / q).log()).sum())
    torch.testing.assert_close(DKDLoss()(student, teacher, labels), expected)


def test_is_kd_when_both_parts_weigh_as_in_kd() -> None:
    torch.manual_seed(0)
    student, teacher = 5 * torch.randn(2, 8, 5, 3, 3, dtype=torch.float64)
    labels = torch.randint(5, (8, 3, 3))
    target, others = decoupled_kl(student / 4, teacher / 4, labels)
    p = (teacher / 4).softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    kd = 16 * (target + (1 - p) * others).mean()
    torch.testing.assert_close(kd, KLDivergenceLoss(tau=4.0)(student, teacher))


def test_is_kd_without_target_class_if_the_target_is_sure() -> None:
    teacher = torch.randn(4, 5, dtype=torch.float64)
    student = torch.randn(4, 5, dtype=torch.float64)
    loss = DKDLoss(alpha=0.0, beta=1.0)(student, teacher, torch.full((4,), 4))
    kd = KLDivergenceLoss(tau=4.0)(student[:, :4], teacher[:, :4])
    torch.testing.assert_close(loss, kd)


def test_is_finite_for_huge_logits() -> None:
    student = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = DKDLoss(tau=0.5)(student, -student.detach(), torch.tensor([0]))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_rejects_labels_of_another_shape() -> None:
    logits = torch.zeros(2, 3, 4, 4)
    with pytest.raises(ValueError, match=r'labels .*\(2, 4, 4\), got \(2,\)'):
        DKDLoss()(logits, logits, torch.zeros(2).long())


def test_rejects_negative_weights() -> None:
    with pytest.raises(ValueError, match='alpha'):
        DKDLoss(alpha=-1)
    with pytest.raises(ValueError, match='beta'):
        DKDLoss(beta=-1)
