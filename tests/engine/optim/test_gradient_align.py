import copy
from functools import partial
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch._functorch import config as compiler_config
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

from mmkd.engine import GradientAlignOptimWrapper
from mmkd.loss_groups import LossGroups, sum_of_groups

SGD = partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.01)
close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('keep', [True, False])
def test_freed_memory_is_kept_unless_told_otherwise(
    net: Any, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    calls: list[bool] = []
    name = 'mmkd.engine.optim.gradient_align.keep_freed_memory'
    monkeypatch.setattr(name, lambda: calls.append(True))
    GradientAlignOptimWrapper(SGD(net.parameters()), keep_memory=keep)
    assert bool(calls) is keep


def task_alone(groups: LossGroups) -> Tensor:
    return sum_of_groups(groups._replace(distillation=None))


@pytest.mark.parametrize('conflict', [True, False])
def test_agrees_with_the_flattened_projection(
    net: Any, batches: Any, stepped: Any, conflict: bool
) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    seen = stepped(wrapper)
    for images, labels in batches:
        groups = net.losses(images, labels, conflict)
        expected = net.aligned(groups)
        angle = F.cosine_similarity(*map(net.gradient, groups), dim=0)
        wrapper.update_params(sum_of_groups(groups))
        close(seen.pop(), expected)
        close(wrapper.cosine, angle)
        assert (angle < 0) == conflict
        assert all(p.grad is None for p in net.parameters())


def test_a_conflict_scales_the_head_that_only_the_task_reaches(
    net: Any, batches: Any
) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    groups = net.losses(*batches[0])
    first, second = map(net.gradient, groups)
    shrink = (first @ second) / (first @ first)
    assert shrink < -0.1
    head = torch.autograd.grad(groups.task, net.main.weight, retain_graph=True)[0]
    seen = {}
    wrapper.optimizer.register_step_pre_hook(
        lambda *_: seen.update(head=net.main.weight.grad, unused=net.unused.weight.grad)
    )
    wrapper.update_params(sum_of_groups(groups))
    close(seen['head'], head * (1 - shrink).float())
    assert seen['unused'] is None


def test_a_task_loss_alone_trains_as_the_plain_wrapper(net: Any, batches: Any) -> None:
    other = copy.deepcopy(net)
    aligned = GradientAlignOptimWrapper(SGD(net.parameters()))
    plain = OptimWrapper(SGD(other.parameters()))
    for batch in batches:
        aligned.update_params(task_alone(net.losses(*batch)))
        plain.update_params(other.losses(*batch).task)
        assert aligned.cosine is None
    for ours, theirs in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_loss_without_groups_is_refused(net: Any, batches: Any) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    with pytest.raises(TypeError, match=r'the loss of a Distiller.*use OptimWrapper'):
        wrapper.update_params(net.losses(*batches[0]).task)


@pytest.mark.parametrize('scale', [0.0, 1e-30])
def test_a_vanishing_task_gradient_leaves_the_other(
    net: Any, batches: Any, stepped: Any, scale: float
) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    seen = stepped(wrapper)
    groups = net.losses(*batches[0])
    expected = net.gradient(groups.distillation)
    wrapper.update_params(sum_of_groups(groups._replace(task=groups.task * scale)))
    close(seen.pop(), expected)
    assert wrapper.cosine.isfinite()


@pytest.mark.parametrize('group', ['task', 'distillation'])
def test_a_gradient_that_is_not_finite_reaches_the_step(
    net: Any, batches: Any, stepped: Any, group: str
) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    seen = stepped(wrapper)
    groups = net.losses(*batches[0])
    infinite = getattr(groups, group) * torch.inf
    wrapper.update_params(sum_of_groups(groups._replace(**{group: infinite})))
    assert not seen.pop().isfinite().all()


def test_clipping_acts_on_the_aligned_gradient(
    net: Any, batches: Any, stepped: Any
) -> None:
    wrapper = GradientAlignOptimWrapper(
        SGD(net.parameters()), clip_grad=dict(max_norm=0.01)
    )
    seen = stepped(wrapper)
    groups = net.losses(*batches[0])
    expected = net.aligned(groups)
    wrapper.update_params(sum_of_groups(groups))
    # PyTorch adds 1e-6 to the norm it divides by.
    close(seen.pop(), expected * 0.01 / (expected.norm() + 1e-6))


def test_accumulating_equals_one_large_batch(net: Any, batches: Any) -> None:
    large = copy.deepcopy(net)
    small = GradientAlignOptimWrapper(SGD(net.parameters()), accumulative_counts=4)
    whole = GradientAlignOptimWrapper(SGD(large.parameters()))
    # The last update has only two micro-steps.
    small.initialize_count_status(net, 0, 10)
    for batch in batches:
        small.update_params(sum_of_groups(net.losses(*batch)))
    for part in batches[:4], batches[4:8], batches[8:]:
        images, labels = map(torch.cat, zip(*part, strict=True))
        whole.update_params(sum_of_groups(large.losses(images, labels)))
    for ours, theirs in zip(net.parameters(), large.parameters(), strict=True):
        close(ours, theirs)
    assert small.inner_count == 10


def test_micro_steps_without_distillation_still_count_as_task(
    net: Any, batches: Any, stepped: Any
) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()), accumulative_counts=2)
    seen = stepped(wrapper)
    both, alone = net.losses(*batches[0]), net.losses(*batches[1])
    total = LossGroups((both.task + alone.task) / 2, both.distillation / 2)
    expected = net.aligned(total)
    wrapper.update_params(task_alone(alone))
    wrapper.update_params(sum_of_groups(both))
    close(seen.pop(), expected)


def test_zero_grad_forgets_both_gradients(net: Any, batches: Any, stepped: Any) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    seen = stepped(wrapper)
    wrapper.backward(sum_of_groups(net.losses(*batches[0])))
    wrapper.zero_grad()
    groups = net.losses(*batches[1])
    expected = net.aligned(groups)
    wrapper.update_params(sum_of_groups(groups))
    close(seen.pop(), expected)


def test_recomputed_activations_work(net: Any, batches: Any, stepped: Any) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    seen = stepped(wrapper)
    expected = net.aligned(net.losses(*batches[0]))
    plain = net.backbone.forward
    net.backbone.forward = lambda x: checkpoint(
        plain, x.requires_grad_(), use_reentrant=True
    )
    wrapper.update_params(sum_of_groups(net.losses(*batches[0])))
    close(seen.pop(), expected)


def test_a_compiled_model_works(net: Any, batches: Any, stepped: Any) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    seen = stepped(wrapper)
    compiled = torch.compile(net.losses, backend='aot_eager')
    for batch in batches[:2]:
        expected = net.aligned(net.losses(*batch))
        wrapper.update_params(sum_of_groups(compiled(*batch)))
        close(seen.pop(), expected)


def test_a_compiled_model_may_start_distilling_later(
    net: Any, batches: Any, stepped: Any
) -> None:
    with compiler_config.patch(donated_buffer=True):
        wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
        seen = stepped(wrapper)
        compiled = torch.compile(net.losses, backend='aot_eager')
        wrapper.update_params(task_alone(compiled(*batches[0])))
        expected = net.aligned(net.losses(*batches[1]))
        wrapper.update_params(sum_of_groups(compiled(*batches[1])))
        close(seen.pop(), expected)


def test_half_precision_gradients_are_compared_in_more(
    net: Any, batches: Any, stepped: Any
) -> None:
    net.half()
    wrapper = GradientAlignOptimWrapper(torch.optim.SGD(net.parameters(), lr=1e-6))
    seen = stepped(wrapper)
    images, labels = batches[0]
    groups = net.losses(images.half(), labels)
    # The squares of such gradients overflow float16.
    groups = LossGroups(groups.task * 4096, groups.distillation * 4096)
    expected = net.aligned(groups)
    wrapper.update_params(sum_of_groups(groups))
    close(seen.pop(), expected, rtol=1e-2, atol=1)


def test_a_sharded_model_is_refused(net: Any) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    sharded = FullyShardedDataParallel.__new__(FullyShardedDataParallel)
    context = wrapper.optim_context(sharded)
    with pytest.raises(TypeError, match='MMDistributedDataParallel'):
        context.__enter__()


def test_a_static_graph_is_refused(net: Any) -> None:
    wrapper = GradientAlignOptimWrapper(SGD(net.parameters()))
    net.static_graph = True
    context = wrapper.optim_context(net)
    with pytest.raises(ValueError, match='static_graph'):
        context.__enter__()
