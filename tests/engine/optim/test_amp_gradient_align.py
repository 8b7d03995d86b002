import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper

from mmkd.engine import AmpGradientAlignOptimWrapper, GradientAlignOptimWrapper
from mmkd.loss_groups import sum_of_groups

SGD = partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.01)
close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-7)
Scaled = Callable[..., OptimWrapper]
clips = pytest.mark.parametrize('clip', [{}, dict(max_norm=0.1)])


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> Scaled:
    """The wrapper with a gradient scaler for the CPU."""
    monkeypatch.setattr(
        amp_optimizer_wrapper, 'GradScaler', partial(torch.amp.GradScaler, 'cpu')
    )
    return AmpGradientAlignOptimWrapper


@clips
@pytest.mark.parametrize('scale', [2.0**16, 2.0**100])
def test_scaled_losses_step_as_unscaled_ones(
    net: Any, batches: Any, scaled: Scaled, scale: float, clip: dict[str, float]
) -> None:
    other = copy.deepcopy(net)
    amp = scaled(
        optimizer=SGD(net.parameters()),
        loss_scale=dict(init_scale=scale),
        clip_grad=dict(clip) or None,
        accumulative_counts=2,
    )
    plain = GradientAlignOptimWrapper(
        SGD(other.parameters()), clip_grad=dict(clip) or None, accumulative_counts=2
    )
    for batch in batches:
        amp.update_params(sum_of_groups(net.losses(*batch)))
        plain.update_params(sum_of_groups(other.losses(*batch)))
        assert amp.cosine is None or amp.cosine < 0
    assert amp.loss_scaler.get_scale() == scale
    for ours, theirs in zip(net.parameters(), other.parameters(), strict=True):
        close(ours, theirs)


@clips
@pytest.mark.parametrize('group', ['task', 'distillation'])
def test_an_overflow_of_either_gradient_skips_the_step(
    net: Any, batches: Any, scaled: Scaled, group: str, clip: dict[str, float]
) -> None:
    before = copy.deepcopy(net)
    wrapper = scaled(optimizer=SGD(net.parameters()), clip_grad=dict(clip) or None)
    scale = wrapper.loss_scaler.get_scale()
    groups = net.losses(*batches[0])
    enlarged = groups._replace(**{group: getattr(groups, group) * 1e36})
    wrapper.update_params(sum_of_groups(enlarged))
    assert wrapper.loss_scaler.get_scale() == scale / 2
    for ours, theirs in zip(net.parameters(), before.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    wrapper.update_params(sum_of_groups(net.losses(*batches[0])))
    assert not torch.equal(net.main.weight, before.main.weight)


def test_bfloat16_without_a_scaler(
    net: Any, batches: Any, stepped: Any, scaled: Scaled
) -> None:
    wrapper = scaled(
        optimizer=SGD(net.parameters()),
        dtype='bfloat16',
        loss_scale=dict(enabled=False),
    )
    seen = stepped(wrapper)
    with wrapper.optim_context(net):
        assert net.main(torch.zeros(1, 6)).dtype is torch.bfloat16
        groups = net.losses(*batches[0])
    expected = net.aligned(groups)
    wrapper.update_params(sum_of_groups(groups))
    close(seen.pop(), expected)


def test_the_scaler_is_resumed(net: Any, batches: Any, scaled: Scaled) -> None:
    wrapper = scaled(
        optimizer=SGD(net.parameters()), loss_scale=dict(growth_interval=1)
    )
    wrapper.update_params(sum_of_groups(net.losses(*batches[0])))
    resumed = scaled(optimizer=SGD(net.parameters()))
    resumed.load_state_dict(copy.deepcopy(wrapper.state_dict()))
    assert resumed.loss_scaler.get_scale() == 2.0**17
