import torch

from mmkd.models.losses import HintLoss


def test_by_hand() -> None:
    student = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    teacher = torch.tensor([[1.0, 0.0], [3.0, -1.0]])
    assert HintLoss()(student, teacher).item() == (4 + 9) / 4


def test_half_precision_does_not_overflow() -> None:
    student = torch.full((2, 3, 4, 4), 300.0, dtype=torch.float16)
    assert HintLoss()(student, -student).item() == 360000
