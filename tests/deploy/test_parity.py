from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mmkd.deploy.images import noise
from mmkd.deploy.network import Network
from mmkd.deploy.parity import check, difference, second_size

Make = Callable[..., Network]


def test_differences_are_measured_against_the_largest_logit() -> None:
    expected = torch.tensor([[1.0, -40.0], [3.0, 2.0]])
    given = expected + torch.tensor([[0.0, 0.0], [-2.0, 0.0]])
    found = difference(given, expected, (2, 3, 8, 8))
    assert (found.largest, found.scale, found.alike) == (2.0, 40.0, 0.5)
    assert found.relative == 2 / 40
    small = difference(given / 100, expected / 100, (2, 3, 8, 8))
    assert small.relative == pytest.approx(0.02)


def test_classes_above_a_threshold_are_compared() -> None:
    # Probabilities 0.73, 0.27 and 0.12.
    one, other = torch.tensor([[1.0], [1.0]]), torch.tensor([[-1.0], [-2.0]])
    alike = [difference(one, other, [], limit).alike for limit in (0.5, 0.2, 0.05)]
    assert alike == [0.0, 0.5, 1.0]
    several = torch.tensor([[3.0, 1.0], [-2.0, 1.0]])
    assert difference(several, several * torch.tensor([1, -1]), [], 0.2).alike == 1
    assert difference(several, several * torch.tensor([1, -2]), [], 0.2).alike == 0


@pytest.mark.parametrize('size', [(8, 8), (32, 32), (240, 320), (1024, 2048)])
def test_the_second_size_is_another_and_odd(size: tuple[int, int]) -> None:
    for side, other in zip(size, second_size(size), strict=True):
        assert other != side
        assert other % 2 == 1


def run(
    network: Network, graph: Any, fixed: bool = False
) -> tuple[list[str], Exception | None]:
    found, images = [], noise(3, (16, 24), network)
    try:
        found = [d.shape for d in check(network, graph, images, fixed)]
    except ValueError as error:
        return found, error
    return found, None


def test_two_batch_sizes_and_two_image_sizes(network: Make) -> None:
    alike = network('pixels')
    found, error = run(alike, alike)
    assert found == [(b, 3, *s) for s in ((16, 24), (21, 31)) for b in (1, 2)]
    assert error is None
    assert run(alike, alike, fixed=True)[0] == [(1, 3, 16, 24), (2, 3, 16, 24)]


def test_a_single_image_is_checked_in_two_batch_sizes_too(network: Make) -> None:
    alike = network('pixels')
    images = noise(1, (16, 24), alike)
    shapes = [found.shape[0] for found in check(alike, alike, images)]
    assert shapes == [1, 2, 1, 2]

    def of_one(batch: Tensor) -> Tensor:
        return alike(batch[:1]).expand(len(batch), -1, -1, -1)

    with pytest.raises(ValueError, match='batch 2, 16 x 24: largest difference'):
        list(check(alike, of_one, images))


def test_what_differs_is_an_error_that_says_where(network: Make) -> None:
    right = network('images')

    def wrong(images: Tensor) -> Tensor:
        return right(images) * (1.001 if images.shape[2] == 21 else 1)

    _, error = run(right, wrong)
    assert 'batch 1, 21 x 31: largest difference' in str(error)
    assert str(error).endswith('--fixed exports it for one size.')
    assert run(right, lambda images: right(images) * torch.nan)[1] is not None
    assert 'returns logits' in str(run(right, lambda images: right(images)[:, :1])[1])


def test_a_network_of_even_sizes_is_asked_about_those(network: Make) -> None:
    inner = network('pixels')

    class Even(Network):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[2] % 2 == images.shape[3] % 2 == 0
            return super().forward(images)

    even = Even(inner.model)
    found, _ = run(even, even)
    assert found[2:] == [(1, 3, 32, 32), (2, 3, 32, 32)]
