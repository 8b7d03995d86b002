from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmkd.models.taps import Tap, capture, find_module, first_tensor


class Net(nn.Module):
    """Passes and returns tensors in every way that models do."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict(
            dict(layer1=nn.Linear(2, 3), layer2=nn.Linear(3, 4))
        )
        self.pair = Pair()
        self.unused = nn.Linear(1, 1)
        self.ran: list[str] = []
        for path, module in self.named_modules():
            module.register_forward_pre_hook(
                lambda *_, path=path: self.ran.append(path)
            )

    def forward(self, images: Tensor) -> Tensor:
        feature = self.backbone['layer1'](images)
        feature = self.backbone['layer2'](input=feature)
        return self.pair(2, feature, shift=torch.zeros(1))['out'][1]


class Pair(nn.Module):
    def forward(self, scale: int, feature: Tensor, shift: Tensor) -> dict[str, Any]:
        return dict(name='pair', out=(scale * feature + shift, -feature))


class Shared(nn.Module):
    """Runs one layer three times."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(self.layer(self.layer(images)))


class Overwriting(Shared):
    """Changes the input and output of a layer in place."""

    def forward(self, images: Tensor) -> Tensor:
        feature = torch.relu_(self.layer(images + 0))
        images.zero_()
        return feature.mul_(2)


class Careful(nn.Module):
    """Takes another path if the first fails."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.recovered = False

    def forward(self, images: Tensor) -> Tensor:
        try:
            return self.first(images)
        except Exception:
            self.recovered = True
            return self.second(images)


@pytest.fixture
def net() -> Net:
    return Net()


def hooks(net: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in net.modules()
    )


def test_taps_hold_what_flows(net: Net) -> None:
    images = torch.randn(5, 2)
    taps = [
        Tap('backbone.layer1', 'input'),
        Tap('backbone.layer2', 'input'),
        Tap('backbone.layer2'),
        Tap('pair', 'input'),
        Tap('pair'),
        Tap(''),
    ]

    with capture(net, taps) as values:
        logits = net(images)

    first = net.backbone['layer1'](images)
    second = net.backbone['layer2'](first)
    expected = [images, first, second, second, 2 * second, -second]
    assert set(values) == set(taps)
    for tap, tensor in zip(taps, expected, strict=True):
        torch.testing.assert_close(values[tap], tensor, rtol=0, atol=0, msg=str(tap))
    assert values[Tap('')].equal(logits)


def test_gradient_flows_through_taps(net: Net) -> None:
    with capture(net, [Tap('backbone.layer1')]) as values:
        net(torch.randn(5, 2))

    values[Tap('backbone.layer1')].sum().backward()

    assert net.backbone['layer1'].weight.grad is not None
    assert net.backbone['layer2'].weight.grad is None


@pytest.mark.parametrize('stop', [False, True])
def test_first_of_several_runs_is_kept(stop: bool) -> None:
    """Both in the student, which runs on, and in the teacher, which stops."""
    net = Shared()
    images = torch.randn(5, 3)

    with capture(
        net, [Tap('layer'), Tap('layer', 'input')], stop_when_filled=stop
    ) as values:
        net(images)

    assert values[Tap('layer', 'input')].equal(images)
    assert values[Tap('layer')].equal(net.layer(images))


@pytest.mark.parametrize('stop', [False, True])
def test_a_later_run_may_be_named(stop: bool) -> None:
    net = Shared()
    images = torch.randn(5, 3)
    taps = Tap('layer', 'input', call=2), Tap('layer', call=1)

    with capture(net, taps, stop_when_filled=stop) as values:
        net(images)

    second = net.layer(net.layer(images))
    assert all(values[tap].equal(second) for tap in taps)


def test_a_run_that_never_came_is_an_error() -> None:
    net = Shared()
    with (
        pytest.raises(RuntimeError, match=r'never ran: layer \(call 3\)$'),
        capture(net, [Tap('layer', call=3)]),
    ):
        net(torch.randn(5, 3))


def test_later_operations_in_place_do_not_reach_a_tap() -> None:
    net, images = Overwriting(), torch.randn(5, 3)

    with capture(net, [Tap('layer'), Tap('', 'input')]) as values:
        net(images.clone())

    expected = net.layer(images)
    assert values[Tap('', 'input')].equal(images)
    assert values[Tap('layer')].equal(expected)
    assert (expected < 0).any()
    values[Tap('layer')].sum().backward()
    assert net.layer.weight.grad.any()


def test_without_copies_taps_are_the_models_own_tensors(net: Net) -> None:
    with capture(net, [Tap('')], copy=False) as values:
        logits = net(torch.randn(5, 2))

    assert values[Tap('')] is logits


def test_the_early_exit_passes_what_a_model_catches() -> None:
    net = Careful()

    with capture(net, [Tap('first')], stop_when_filled=True) as values:
        net(torch.randn(5, 3))

    assert list(values) == [Tap('first')]
    assert not net.recovered


def test_hooks_leave_with_the_context(net: Net) -> None:
    before = hooks(net)
    with capture(net, [Tap('pair'), Tap('pair', 'input')]):
        assert hooks(net) == before + 2
        net(torch.randn(5, 2))

    assert hooks(net) == before


def test_errors_pass_and_remove_hooks(net: Net) -> None:
    before = hooks(net)

    with pytest.raises(RuntimeError, match='shapes'), capture(net, [Tap('pair')]):
        net(torch.randn(5, 9))

    assert hooks(net) == before


def test_forward_stops_at_the_deepest_tap(net: Net) -> None:
    taps = [Tap('backbone.layer2', 'input'), Tap('backbone.layer1')]
    after = []

    with capture(net, taps, stop_when_filled=True) as values:
        net(torch.randn(5, 2))
        after.append('the forward')

    assert set(values) == set(taps)
    assert net.ran == ['', 'backbone.layer1', 'backbone.layer2']
    assert after == []


def test_forward_of_an_output_is_complete(net: Net) -> None:
    with capture(net, [Tap('')], stop_when_filled=True) as values:
        net(torch.randn(5, 2))

    assert list(values) == [Tap('')]
    assert net.ran[-1] == 'pair'


def test_silent_tap_is_an_error(net: Net) -> None:
    with (
        pytest.raises(RuntimeError, match=r'forward pass of Net never ran: unused$'),
        capture(net, [Tap('unused'), Tap('pair')]),
    ):
        net(torch.randn(5, 2))


def test_silent_tap_may_be_allowed(net: Net) -> None:
    with capture(net, [Tap('unused'), Tap('pair')], strict=False) as values:
        net(torch.randn(5, 2))

    assert list(values) == [Tap('pair')]


def test_module_is_found(net: Net) -> None:
    assert find_module(net, 'backbone.layer2') is net.backbone['layer2']
    assert find_module(net, '') is net


@pytest.mark.parametrize(
    ('path', 'near', 'inside'),
    [
        ('backbone.layer3', 'backbone.layer2, backbone.layer1', "'backbone': layer1"),
        ('backbne.layer1', 'backbone.layer1', "'the model': backbone, pair, unused"),
        ('backbone.layer1.conv.bn', 'backbone.layer1', "'backbone.layer1': "),
        ('1.2.3', 'none', "'the model': backbone"),
    ],
)
def test_wrong_path_lists_what_exists(
    net: Net, path: str, near: str, inside: str
) -> None:
    with pytest.raises(ValueError, match=f"Net has no module '{path}'") as error:
        find_module(net, path)

    assert f'Nearest names: {near}' in str(error.value)
    assert f'Modules in {inside}' in str(error.value)


def test_wrong_path_leaves_no_hooks(net: Net) -> None:
    before = hooks(net)
    taps = [Tap('pair'), Tap('backbone'), Tap('backbone.layer9')]

    with pytest.raises(ValueError, match=r'layer9'), capture(net, taps):
        pass

    assert hooks(net) == before


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'input' or 'output', got 'inputs'"):
        Tap('backbone', 'inputs')  # type: ignore[arg-type]


@pytest.mark.parametrize('call', [-1, 0.5, 'last'])
def test_unknown_call_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=f'call must be .* got {call!r}'):
        Tap('backbone', call=call)


def test_first_tensor_of_nested_values() -> None:
    one, two = torch.ones(1), torch.zeros(1)

    assert first_tensor(([], dict(scale=3), dict(out=[(one,), two]))) is one
    with pytest.raises(TypeError, match='expected a tensor or a sequence'):
        first_tensor((dict(out='none'), 3))
