from typing import Any

import pytest
from mmcv.transforms import Resize
from torch import nn
from torch.optim import SGD

from mmkd.libraries import is_of_library
from mmkd.models import Distiller


class Mine(Resize):
    """A user's own."""


@pytest.mark.parametrize(
    ('part', 'known'),
    [
        (Resize, True),
        (Distiller, True),
        (SGD, True),
        (nn.Linear(1, 1), True),
        (Mine, False),
        (Mine.transform, True),
        (lambda results: results, False),
        (dict, False),
        (None, False),
    ],
)
def test_whose_a_part_is(part: Any, known: bool) -> None:
    assert is_of_library(part) == known
