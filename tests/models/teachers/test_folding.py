import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.config.experiments import CONFIGS, load_config
from mmkd.models import Tap, build_model, capture
from mmkd.models.build import model_dict
from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.teachers.folding import fold_batch_norms

NORM: Any = nn.modules.batchnorm._BatchNorm


class Network(nn.Module):
    """Parts by name, and the path of an image through them."""

    def __init__(self, way: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.way = way

    def forward(self, images: Tensor, mode: str = 'tensor') -> Tensor:
        return self.way(self, images)


class Standardised(nn.Conv2d):
    """Transforms its weight before using it."""

    def forward(self, images: Tensor) -> Tensor:
        weight = self.weight / self.weight.std((1, 2, 3), keepdim=True)
        return F.conv2d(images, weight, self.bias)


class Shared(nn.Sequential):
    """The normalised result, added to the result itself."""

    def forward(self, images: Tensor) -> Tensor:
        result = self[0](images)
        return self[1](result) + result


def conv(width: int = 5, **settings: Any) -> nn.Conv2d:
    return nn.Conv2d(3, width, 3, **settings)


def in_a_row(network: Any, images: Tensor) -> Tensor:
    for part in network.children():
        images = part(images)
    return images


def twice(network: Any, images: Tensor) -> Tensor:
    return network.norm(network.conv(images)) + network.norm(network.conv(images + 1))


def two_norms(network: Any, images: Tensor) -> Tensor:
    result = network.conv(images)
    return network.norm(result) + network.other(result)


def two_names(network: Any, images: Tensor) -> Tensor:
    return network.alias(network.conv(images))


def overwritten(network: Any, images: Tensor) -> Tensor:
    return network.norm(network.conv(images).relu_())


def one_weight(first: nn.Conv2d, second: nn.Conv2d) -> Network:
    second.weight = first.weight
    return Network(
        in_a_row, conv=first, norm=nn.BatchNorm2d(3), second=second, act=nn.ReLU()
    )


class Padded(nn.Conv2d):
    """Adapts its input before using it, as ``Conv2dAdaptivePadding``."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(F.pad(images, (1, 1, 1, 1)))


def centred_too(network: Any, images: Tensor) -> Tensor:
    mean = network.norm.running_mean.view(1, -1, 1, 1)
    return network.norm(network.conv(images)) - mean


def one_memory(first: nn.Conv2d, second: nn.Conv2d) -> Network:
    second.weight.data = first.weight.data
    return Network(
        in_a_row, conv=first, norm=nn.BatchNorm2d(3), second=second, act=nn.ReLU()
    )


def dilated_too(network: Any, images: Tensor) -> Tensor:
    """As in kernel-sharing atrous convolution."""
    wide = F.conv2d(images, network.conv.weight, padding=1, dilation=2)
    return network.norm(network.conv(images)) + network.other(wide)


def without_hooks_too(network: Any, images: Tensor) -> Tensor:
    return network.norm(network.conv(images)) + network.conv.forward(images + 1)


def scaled_too(network: Any, images: Tensor) -> Tensor:
    return network.norm(network.conv(images)) * network.norm.weight.view(1, -1, 1, 1)


NETWORKS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    'a bias': (1, lambda: Network(in_a_row, conv=conv(), norm=nn.BatchNorm2d(5))),
    'no bias, and a ReLU in place': (
        1,
        lambda: Network(
            in_a_row,
            conv=conv(bias=False),
            norm=nn.BatchNorm2d(5),
            act=nn.ReLU(inplace=True),
        ),
    ),
    'groups': (
        1,
        lambda: Network(in_a_row, conv=conv(6, groups=3), norm=nn.BatchNorm2d(6)),
    ),
    'a norm without weights': (
        1,
        lambda: Network(in_a_row, conv=conv(), norm=nn.BatchNorm2d(5, affine=False)),
    ),
    'transposed': (
        1,
        lambda: Network(
            in_a_row, conv=nn.ConvTranspose2d(3, 5, 3), norm=nn.BatchNorm2d(5)
        ),
    ),
    'a chain': (
        2,
        lambda: Network(
            in_a_row,
            conv=conv(),
            norm=nn.BatchNorm2d(5),
            second=nn.Conv2d(5, 4, 1),
            last=nn.BatchNorm2d(4),
        ),
    ),
    'transposed in groups': (
        0,
        lambda: Network(
            in_a_row,
            conv=nn.ConvTranspose2d(3, 6, 3, groups=3),
            norm=nn.BatchNorm2d(6),
        ),
    ),
    'the norm first': (
        0,
        lambda: Network(in_a_row, norm=nn.BatchNorm2d(3), conv=conv()),
    ),
    'something between them': (
        0,
        lambda: Network(in_a_row, conv=conv(), act=nn.ReLU(), norm=nn.BatchNorm2d(5)),
    ),
    'the result overwritten between them': (
        0,
        lambda: Network(overwritten, conv=conv(), norm=nn.BatchNorm2d(5)),
    ),
    'the result used elsewhere': (
        0,
        lambda: Network(in_a_row, both=Shared(conv(), nn.BatchNorm2d(5))),
    ),
    'run twice': (0, lambda: Network(twice, conv=conv(), norm=nn.BatchNorm2d(5))),
    'normalised twice': (
        0,
        lambda: Network(
            two_norms, conv=conv(), norm=nn.BatchNorm2d(5), other=nn.BatchNorm2d(5)
        ),
    ),
    'statistics of the batch': (
        0,
        lambda: Network(
            in_a_row, conv=conv(), norm=nn.BatchNorm2d(5, track_running_stats=False)
        ),
    ),
    'weights in the same memory': (0, lambda: one_memory(conv(3), conv(3))),
    'a weight that is used at another dilation': (
        0,
        lambda: Network(
            dilated_too,
            conv=conv(bias=False),
            norm=nn.BatchNorm2d(5),
            other=nn.BatchNorm2d(5),
        ),
    ),
    'a convolution that is also run without its hooks': (
        0,
        lambda: Network(without_hooks_too, conv=conv(), norm=nn.BatchNorm2d(5)),
    ),
    'a class of its own that folds': (
        1,
        lambda: Network(in_a_row, conv=Padded(3, 5, 3), norm=nn.BatchNorm2d(5)),
    ),
    "a norm's statistics that are also read": (
        0,
        lambda: Network(centred_too, conv=conv(), norm=nn.BatchNorm2d(5)),
    ),
    "a norm's weight that is also read": (
        0,
        lambda: Network(scaled_too, conv=conv(), norm=nn.BatchNorm2d(5)),
    ),
    'a weight that another convolution has too': (
        0,
        lambda: one_weight(conv(3), conv(3)),
    ),
    'a weight that is standardised': (
        0,
        lambda: Network(in_a_row, conv=Standardised(3, 5, 3), norm=nn.BatchNorm2d(5)),
    ),
    'a weight that is normalised': (
        0,
        lambda: Network(
            in_a_row,
            conv=nn.utils.parametrizations.weight_norm(conv()),
            norm=nn.BatchNorm2d(5),
        ),
    ),
}


def trained(network: nn.Module) -> nn.Module:
    """The network with statistics and weights as after training."""
    generator = torch.Generator().manual_seed(0)
    for norm in network.modules():
        if isinstance(norm, NORM) and norm.running_mean is not None:
            norm.running_mean.normal_(0, 0.3, generator=generator)
            norm.running_var.uniform_(0.3, 3, generator=generator)
        if isinstance(norm, NORM) and norm.affine:
            norm.weight.data.uniform_(0.5, 1.5, generator=generator)
            norm.bias.data.normal_(0, 0.3, generator=generator)
    return network.eval().requires_grad_(False)


def left(network: nn.Module) -> int:
    return sum(isinstance(module, NORM) for module in network.modules())


@pytest.mark.parametrize('kind', NETWORKS)
def test_what_is_folded_gives_what_it_gave(kind: str) -> None:
    torch.manual_seed(0)
    count, make = NETWORKS[kind]
    network = trained(make())
    images, norms = torch.randn(2, 3, 9, 11), left(network)
    expected = copy.deepcopy(network).double()(images.double())

    assert fold_batch_norms(network, (8, 8)) == count

    assert left(network) == norms - count
    torch.testing.assert_close(network(images).double(), expected, rtol=1e-5, atol=1e-5)


def test_a_norm_of_two_names_is_folded_under_both() -> None:
    network = Network(two_names, conv=conv(), norm=nn.BatchNorm2d(5))
    network.alias = network.norm
    images = torch.randn(2, 3, 8, 8)
    expected = trained(network)(images)
    assert fold_batch_norms(network, (8, 8)) == 1
    torch.testing.assert_close(network(images), expected)
    torch.testing.assert_close(network.norm(expected), expected, rtol=0, atol=0)


TAPS = {
    Tap('conv.0'): 0,
    Tap('conv'): 0,
    Tap('norm.0', 'input'): 0,
    Tap('norm', 'input'): 0,
    Tap('conv.0', 'input'): 1,
    Tap('norm.0'): 1,
    Tap('norm'): 1,
    OUTPUT: 1,
}


@pytest.mark.parametrize('tap', TAPS, ids=lambda tap: f'{tap.kind} of {tap}')
def test_what_is_tapped_is_not_folded(tap: Tap) -> None:
    parts = dict(conv=nn.Sequential(conv()), norm=nn.Sequential(nn.BatchNorm2d(5)))
    network = trained(Network(in_a_row, **parts, act=nn.ReLU(inplace=True)))
    images = torch.randn(2, 3, 8, 8)
    with capture(network, [tap]) as expected:
        network(images)

    assert fold_batch_norms(network, (8, 8), [tap]) == TAPS[tap]

    with capture(network, [tap]) as values:
        network(images)
    torch.testing.assert_close(values[tap], expected[tap])


def test_a_network_is_left_as_it_was() -> None:
    network = trained(Network(in_a_row, conv=conv(), norm=nn.BatchNorm2d(5)))
    state = torch.get_rng_state()
    fold_batch_norms(network, (8, 8))
    assert torch.get_rng_state().equal(state)
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    assert network.state_dict().keys() == {'conv.weight', 'conv.bias'}


PAIRS = sorted(path.stem for path in (CONFIGS / '_base_/pairs').glob('*.py'))


def teachers() -> dict[str, str]:
    """The distinct model dicts of the configs' teachers."""
    found: dict[str, str] = {}
    for pair in PAIRS:
        config = load_config(pair).model.teacher.config
        name = config if '::' in config else Path(config).stem
        found.setdefault(name, config)
    return found


@pytest.mark.parametrize(('name', 'config'), teachers().items(), ids=lambda v: v)
def test_teachers_of_the_configs_stay_as_exact(name: str, config: str) -> None:
    torch.manual_seed(0)
    plain = revert_sync_batchnorm(build_model(model_dict(config)))
    view = ModelView(trained(plain))
    taps = [OUTPUT, view.feature, *view.stages]
    exact, same, fast = (copy.deepcopy(plain) for _ in range(3))
    assert fold_batch_norms(fast, view.trace.image_size, taps) > 0
    exact.double()
    for network in (same, fast):
        network.to(memory_format=torch.channels_last)

    images = torch.randn(2, 3, *view.trace.image_size)
    values = []
    for network in (exact, plain, same, fast):
        with capture(network, taps) as captured, torch.no_grad():
            network(images.to(next(network.parameters())), mode='tensor')
        values.append(captured)
    for tap in taps:
        truth, usual, unfolded, folded = (
            captured[tap].double() for captured in values
        )
        unit = torch.finfo(torch.float32).eps * truth.norm()
        error = (folded - truth).norm()
        # Untrained weights lose a few units in the last place; below that no order
        # of summation is better than another.
        assert error <= 2 * (unfolded - truth).norm() + 4 * unit
        # Kernels of the two layouts add up the 36,864 products of a pyramid's last
        # convolution in orders that differ from processor to processor, and either can
        # be the better one: 3 to 19 units row-major, 6 to 16 channels-last.
        assert error <= 2 * (usual - truth).norm() + 32 * unit
