import copy
from logging import getLogger
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmkd.engine import ChannelsLastHook
from mmkd.engine.hooks.channels_last import BackwardOfGroupNorm, gains
from mmkd.models import Distiller, build_model

ROOT = Path(__file__).parents[3]


@pytest.fixture
def distiller(tmp_path: Path) -> Distiller:
    network = Config.fromfile(ROOT / 'configs/_base_/models/resnet8_cifar.py').model
    network['_scope_'] = 'mmpretrain'
    checkpoint = tmp_path / 'teacher.pth'
    torch.save(build_model(network).state_dict(), checkpoint)
    teacher = dict(config=network, checkpoint=str(checkpoint))
    return Distiller(network, teacher, dict(kd=dict(type='LogitsKD'))).eval()


def losses(distiller: Distiller) -> dict[str, Tensor]:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    samples = [DataSample().set_gt_label(label) for label in (3, 7)]
    return distiller(images, samples, mode='loss')


def layouts(network: nn.Module) -> set[bool]:
    return {
        module.weight.is_contiguous(memory_format=torch.channels_last)
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size > (1, 1)
    }


def runner(model: nn.Module, half: bool = False) -> Any:
    wrapper = object.__new__(AmpOptimWrapper if half else OptimWrapper)
    return SimpleNamespace(model=model, optim_wrapper=wrapper, logger=getLogger())


def test_the_student_changes_its_layout_and_keeps_its_values(
    distiller: Distiller,
) -> None:
    before, state = losses(distiller), copy.deepcopy(distiller.state_dict())
    assert layouts(distiller) == {False}
    assert layouts(distiller.teacher.model) == {True}
    ChannelsLastHook().before_train(runner(distiller))
    assert layouts(distiller) == {True}
    torch.testing.assert_close(losses(distiller), before)
    torch.testing.assert_close(distiller.state_dict(), state, rtol=0, atol=0)


def test_the_teacher_keeps_the_layout_it_was_given(distiller: Distiller) -> None:
    distiller.teacher.model.to(memory_format=torch.contiguous_format)
    ChannelsLastHook().before_train(runner(distiller))
    assert layouts(distiller.teacher.model) == {False}


def test_the_student_alone_has_the_same_layout() -> None:
    network = Config.fromfile(ROOT / 'configs/_base_/models/resnet8_cifar.py').model
    network['_scope_'] = 'mmpretrain'
    model = build_model(network)
    ChannelsLastHook().before_train(runner(model))
    assert layouts(model) == {True}


def test_a_model_that_averages_predictions_may_be_in_data_parallelism(
    distiller: Distiller,
) -> None:
    class Averaging(BaseTTAModel):
        def merge_preds(self, data_samples_list: Any) -> Any:
            return data_samples_list

    parallel = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(parallel)
    parallel.module = Averaging(distiller)
    ChannelsLastHook().before_test(runner(parallel))
    assert layouts(distiller) == {True}


@pytest.mark.parametrize(
    ('auxiliary', 'laid'),
    [(dict(type='mmseg.DMHead', filter_sizes=(1, 3)), False), ({}, True)],
)
def test_a_head_that_only_trains_counts_too(
    tiny: Any, auxiliary: dict[str, Any], laid: bool
) -> None:
    """With it, training would fail at the first step."""
    student = tiny.segmentor()
    student['auxiliary_head'].update(auxiliary)
    for name in ('num_convs', 'concat_input') if auxiliary else ():
        student['auxiliary_head'].pop(name)
    for model in (
        build_model(student),
        tiny.distiller('pixels', dict(kd=dict(type='LogitsKD')), student=student),
    ):
        before = copy.deepcopy(model.state_dict())
        ChannelsLastHook().before_train(runner(model))
        assert layouts(model.backbone) == {laid}
        torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
        data = model.data_preprocessor(tiny.batch('pixels'), training=True)
        total, _ = model.train().parse_losses(model(**data, mode='loss'))
        total.backward()


def test_groups_behind_frozen_layers_keep_their_layout(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch's backward pass would end the process."""
    student = tiny.classifier()
    student['backbone'].update(norm_cfg=dict(type='GN', num_groups=2))
    model = build_model(student)
    model.backbone.conv1.requires_grad_(False)
    ChannelsLastHook().before_train(runner(model))
    assert layouts(model) == {False}
    # If its losses need annotations of their own, its output is all that is tried.
    with monkeypatch.context() as patch:
        patch.setattr(type(model.head), 'loss', lambda *_: {}['weights'])
        ChannelsLastHook().before_train(runner(model))
    assert layouts(model) == {False}
    model.requires_grad_(True)
    ChannelsLastHook().before_train(runner(model))
    assert layouts(model) == {True}


@pytest.mark.parametrize('shape', [(2, 4, 5, 6), (2, 4, 1, 1), (2, 1, 5, 6)])
@pytest.mark.parametrize('channels_last', [True, False])
def test_only_the_strides_of_channels_last_are_refused(
    shape: tuple[int, ...], channels_last: bool
) -> None:
    maps = torch.randn(shape)
    if channels_last:
        maps = torch.empty(shape[0], *shape[2:], shape[1]).permute(0, 3, 1, 2)
    whole = torch.empty(2, 8, 5, 6)[:, ::2]
    norm = nn.GroupNorm(1, shape[1])
    with BackwardOfGroupNorm():
        nn.GroupNorm(2, 4)(whole).sum().backward()
        norm(maps.clone().contiguous().requires_grad_(True))
        if channels_last:
            with pytest.raises(RuntimeError, match='no backward pass for the group'):
                norm(maps)
        else:
            norm(maps).sum().backward()


@pytest.mark.parametrize(('device', 'half'), [('cpu', False), ('meta', True)])
def test_layout_pays(device: str, half: bool) -> None:
    assert gains(nn.Conv2d(1, 1, 1, device=device), half)


def test_layout_does_not_pay_everywhere() -> None:
    assert not gains(nn.Conv2d(1, 1, 1, device='meta'), half=False)


class First(Hook):
    """The weights when training starts."""

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        self.state = copy.deepcopy(runner.model.state_dict())


def test_the_student_starts_from_the_weights_that_it_would_have_without_mmkd(
    tiny: Any, task: str
) -> None:
    scope = 'mmpretrain' if task == 'images' else 'mmseg'
    student = tiny.model(task)
    taught = dict(
        type='mmkd.Distiller',
        student=student,
        teacher=tiny.teacher(tiny.model(task, width=8)),
        methods=dict(dual_head=dict(type='DualHead'), kd=dict(type='LogitsKD')),
    )
    layout = dict(type='mmkd.ChannelsLastHook')
    starts = []
    for number, (model, hooks) in enumerate(
        [(student, []), (student, [layout]), (taught, [layout])]
    ):
        first = First()
        settings = dict(custom_hooks=[*hooks, first], default_scope=scope)
        tiny.runner(model, task, f'run_{number}', **settings).train()
        starts.append(first.state)
    for state in starts[1:]:
        for name, weight in starts[0].items():
            assert torch.equal(state[name], weight), name
    laid = [weight for weight in starts[2].values() if weight.dim() == 4]
    assert any(not weight.is_contiguous() for weight in laid)
