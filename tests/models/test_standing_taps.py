"""The step of a student and its methods as ``torch.compile`` traces it."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from every_method import METHODS_OF, ready
from torch import Tensor, nn

from mmkd.models.standing_taps import StandingTaps
from mmkd.models.taps import Tap, capture

# Its graph is cut where it asks for the indices of the images.
CUT = ('CRD',)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    torch._dynamo.reset()


@pytest.mark.check
def test_networks_and_all_methods_are_one_graph(tiny: Any, task: str) -> None:
    names = [name for only, name in METHODS_OF if only == task and name not in CUT]
    (plain, data), (model, _) = (ready(tiny, task, *names) for _ in range(2))
    with model.standing_taps():
        whole = torch.compile(model.forward, backend='eager', fullgraph=True)
        for _ in range(2):
            torch.manual_seed(0)
            found = whole(**data, mode='loss')
            torch.manual_seed(0)
            expected = plain(**data, mode='loss')
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                torch.testing.assert_close(found[key], value)


class Branches(nn.Module):
    """Runs a layer twice, and a head whose ``forward`` takes optional labels."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(3, 3), Head()

    def forward(self, images: Tensor) -> Tensor:
        return self.head.loss(self.layer(self.layer(images)))


class Head(nn.Module):
    def forward(self, maps: Tensor, scale: int | None = None) -> tuple[Tensor, ...]:
        return -maps, maps * (scale or 1)

    def loss(self, maps: Tensor) -> Tensor:
        return self.forward(maps, scale=5)[1]


TAPS = [
    Tap('layer', 'input'),
    Tap('layer'),
    Tap('layer', call=1),
    Tap('head', 'forward', number=1),
    Tap(''),
]


@pytest.fixture
def net() -> Branches:
    torch.manual_seed(0)
    return Branches()


def captured(net: nn.Module, taps: list[Tap], **settings: Any) -> dict[Tap, Tensor]:
    with capture(net, taps, **settings) as values:
        net(torch.ones(2, 3))
    return values


@pytest.mark.parametrize('stop', [True, False])
def test_standing_taps_hold_what_hooks_would(net: Branches, stop: bool) -> None:
    expected = captured(net, TAPS)
    classes = [type(module) for module in net.modules()]
    with StandingTaps(net, TAPS):
        for taps in (TAPS, TAPS[:2], TAPS[3:4], TAPS):
            found = captured(net, taps, stop_when_filled=stop)
            assert found.keys() == {*taps}
            for tap in taps:
                assert found[tap].equal(expected[tap]), str(tap)
        assert not any(module._forward_hooks for module in net.modules())
        net(torch.ones(2, 3))
    assert [type(module) for module in net.modules()] == classes
    assert {*vars(net)} == {*vars(Branches())}
    assert captured(net, TAPS)[TAPS[1]].equal(expected[TAPS[1]])


def test_a_tap_that_never_came_is_an_error_too(net: Branches) -> None:
    with (
        StandingTaps(net, [Tap('layer', call=2)]),
        pytest.raises(RuntimeError, match=r'Branches never ran: layer \(call 2\)'),
    ):
        captured(net, [Tap('layer', call=2)])


def test_taps_that_do_not_stand_have_hooks(net: Branches) -> None:
    expected = captured(net, TAPS)
    with StandingTaps(net, [TAPS[0], Tap('head', 'input')]):
        found = captured(net, TAPS)
    assert all(found[tap].equal(expected[tap]) for tap in TAPS)


def doubled(module: nn.Module, _: Any, output: Tensor) -> Tensor:
    return output * 2


def test_what_hooks_or_another_forward_change_is_captured_as_without(
    net: Branches,
) -> None:
    own = net.head.forward
    net.layer.register_forward_hook(doubled)
    net.head.forward = lambda maps, scale=None: own(maps + 1, scale)
    expected = captured(net, TAPS)
    with StandingTaps(net, TAPS):
        found = captured(net, TAPS)
    assert all(found[tap].equal(expected[tap]) for tap in TAPS)


def test_copies_and_pickles_have_their_own_classes(net: Branches) -> None:
    classes = [type(module) for module in net.modules()]
    for standing in (TAPS[3:], TAPS):
        with StandingTaps(net, standing):
            made = copy.deepcopy(net), pickle.loads(pickle.dumps(net))
        for other in made:
            assert [type(module) for module in other.modules()] == classes
            assert captured(other, TAPS)[TAPS[1]].equal(captured(net, TAPS)[TAPS[1]])


def test_a_copy_captures_its_own_values(net: Branches) -> None:
    with StandingTaps(net, TAPS):
        twin = copy.deepcopy(net)
        nn.init.zeros_(twin.layer.weight)
        mine, its = captured(net, TAPS), captured(twin, TAPS)
    assert its[TAPS[1]].equal(twin.layer.bias.expand(2, 3))
    assert not its[TAPS[1]].equal(mine[TAPS[1]])
    assert its.keys() == mine.keys()
