import pytest
import torch

from mmkd.models.adapters import Regressor


@pytest.mark.parametrize(
    ('student', 'teacher', 'conv'),
    [
        ((1, 3, 8, 8), (1, 5, 8, 8), 'Conv2d'),
        ((1, 3, 16, 16), (1, 5, 8, 8), 'Conv2d'),
        ((1, 3, 8, 8), (1, 5, 16, 16), 'ConvTranspose2d'),
        ((1, 3, 8, 8), (1, 5, 14, 14), 'Conv2d'),
    ],
)
def test_regressor_meets_the_teachers_size(
    student: tuple[int, ...], teacher: tuple[int, ...], conv: str
) -> None:
    regressor = Regressor(student, teacher)
    out = regressor(torch.randn(2, *student[1:]), teacher[2:])
    assert out.shape == (2, *teacher[1:])
    assert type(regressor.layers[0]).__name__ == conv
