import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mmkd.deploy.any_size import AnySize, area_pool


@pytest.mark.parametrize('cells', [1, 2, 3, 6, (2, 5), (None, 3), (4, None)])
@pytest.mark.parametrize('size', [(6, 12), (7, 13), (2, 5)])
def test_it_is_adaptive_pooling(cells: object, size: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = F.adaptive_avg_pool2d(maps, cells)
    torch.testing.assert_close(area_pool(maps, cells), expected)
    with AnySize():
        torch.testing.assert_close(torch.nn.AdaptiveAvgPool2d(cells)(maps), expected)
