import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmkd.models.losses import ContrastiveRepresentationLoss

TAU = 0.5


def example() -> list[Tensor]:
    torch.manual_seed(0)
    shapes = (4, 3), (4, 3), (10, 3), (10, 3)
    rows = [normalize(torch.randn(shape, dtype=torch.float64)) for shape in shapes]
    return [*rows, torch.randint(10, (4, 6))]


def scores(anchors: Tensor, memory: Tensor, indices: Tensor) -> Tensor:
    pairs = zip(anchors, indices, strict=True)
    return torch.stack([(memory[index] @ v / TAU).exp() for v, index in pairs])


def test_agrees_with_the_definition() -> None:
    student, teacher, student_memory, teacher_memory, indices = example()
    expected = 0.0
    for anchors, memory in ((student, teacher_memory), (teacher, student_memory)):
        exponentials = scores(anchors, memory, indices)
        p = exponentials / (10 * exponentials.mean())
        h = p / (p + 5 / 10)
        for row in h:
            expected -= (row[0].log() + (1 - row[1:]).log().sum()) / 4
    loss = ContrastiveRepresentationLoss(tau=TAU)(*example())
    torch.testing.assert_close(loss, expected)


def test_by_hand() -> None:
    # One sample, one negative, a memory of two, Z = 1: the noise has density
    # 1/2. exp(0) = 1 for both, so h = 2/3: -log(2/3) - log(1/3), twice.
    anchor, memory = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, -1.0]])
    loss = ContrastiveRepresentationLoss()(
        anchor, anchor, memory, memory, torch.tensor([[0, 1]]), torch.zeros_like
    )
    assert loss.item() == pytest.approx(-2 * math.log(2 / 9))


def test_normalizers_of_the_batch_are_the_default() -> None:
    args = example()
    loss = ContrastiveRepresentationLoss(tau=TAU)
    student, _, _, teacher_memory, indices = args
    mean = scores(student, teacher_memory, indices).mean()
    estimates = []

    def kept(estimate: Tensor) -> Tensor:
        estimates.append(estimate)
        return estimate

    assert loss(*args, kept) == loss(*args)
    assert estimates[0][0].exp().item() == pytest.approx(10 * mean.item())
    assert loss(*args, lambda estimate: estimate + 1) != loss(*args)


def test_embeddings_learn_and_memories_do_not() -> None:
    student, teacher, student_memory, teacher_memory, indices = example()
    for tensor in (student, teacher, student_memory, teacher_memory):
        tensor.requires_grad_()
    loss = ContrastiveRepresentationLoss()
    loss(student, teacher, student_memory, teacher_memory, indices).backward()
    assert student.grad.any()
    assert teacher.grad.any()
    assert student_memory.grad is None
    assert teacher_memory.grad is None


def test_the_own_view_costs_less_than_anothers() -> None:
    _, *rest = example()
    loss = ContrastiveRepresentationLoss(tau=TAU)
    _, _, teacher_memory, indices = rest
    near, far = teacher_memory[indices[:, 0]], teacher_memory[indices[:, 1]]
    assert loss(near, *rest, torch.zeros_like) < loss(far, *rest, torch.zeros_like)


def test_rejects_shapes_that_do_not_fit() -> None:
    student, teacher, student_memory, teacher_memory, indices = example()
    loss = ContrastiveRepresentationLoss()
    with pytest.raises(ValueError, match=r'indices must be \(4, 1 \+ R\)'):
        loss(student, teacher, student_memory, teacher_memory, indices[:, :1])
    with pytest.raises(ValueError, match='width of the embeddings, 3'):
        loss(student, teacher, student_memory[:, :2], teacher_memory[:, :2], indices)
