import copy
from typing import Any

import pytest
import torch
from mmseg.models.decode_heads import FCNHead
from torch import Tensor, nn

from mmkd.models import ModelView, Tap, build_model
from mmkd.models.discovery import OUTPUT
from mmkd.models.probing import trace


def test_discovery_leaves_no_trace(tiny: Any, task: str) -> None:
    model = build_model(tiny.model(task)).train()
    for module in list(model.modules())[::3]:
        module.training = False
    modes = [module.training for module in model.modules()]
    state = copy.deepcopy(model.state_dict())
    random = torch.random.get_rng_state()
    view = ModelView(model)

    assert view.num_classes
    assert view.classifier

    assert [module.training for module in model.modules()] == modes
    assert all(model.state_dict()[key].equal(state[key]) for key in state)
    assert torch.random.get_rng_state().equal(random)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())


class ScaledHead(FCNHead):
    """Its logits are not the output of a layer."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * super().forward(inputs)


class HeadThatScalesInPlace(FCNHead):
    """Its logits are the output tensor of a layer, with other values."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).mul_(2)


@pytest.fixture(params=[ScaledHead, HeadThatScalesInPlace])
def scaled(tiny: Any, request: Any) -> dict[str, Any]:
    config = tiny.segmentor(classes=5)
    config['decode_head']['type'] = request.param
    return config


def test_classifier_that_is_none_is_refused(scaled: dict[str, Any]) -> None:
    view = ModelView(build_model(scaled))

    with pytest.raises(ValueError, match=r'no recognisable main classifier') as error:
        assert view.classifier

    found = "['decode_head.conv_seg', 'auxiliary_head.conv_seg']"
    assert f'number of classes: {found}. If one' in str(error.value)
    assert 'classifier=PATH' in str(error.value)


def test_logits_of_no_layer_are_taken_from_the_head(scaled: dict[str, Any]) -> None:
    assert ModelView(build_model(scaled)).logits == Tap('decode_head', 'forward')


@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_classifier_that_is_another_is_refused(
    tiny: Any, scaled: dict[str, Any], side: str
) -> None:
    teacher = tiny.teacher(scaled)
    named = dict(classifier='decode_head.conv_seg')
    methods = dict(hint=dict(type='SKD'))
    message = f'does not output the logits of the {side} EncoderDecoder'
    settings = dict(student=tiny.segmentor(classes=5), teacher=teacher)
    if side == 'student':
        plain = tiny.teacher(settings['student'])
        settings = dict(named, student=scaled, teacher=plain)
    else:
        settings['teacher'] = teacher | named

    with pytest.raises(ValueError, match=message):
        tiny.distiller('pixels', methods, **settings)


class CopyingHead(FCNHead):
    """Its logits are a copy of a layer's output."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).clone()


def test_classifier_may_be_named(scaled: dict[str, Any]) -> None:
    scaled['decode_head']['type'] = CopyingHead
    view = ModelView(build_model(scaled), 'decode_head.conv_seg')

    assert view.logits == Tap('decode_head.conv_seg')
    assert view.feature == Tap('decode_head.conv_seg', 'input')
    assert view.num_classes == 5


class Fixed(nn.Module):
    """A backbone that runs on only one image size."""

    def __init__(self, img_size: int | tuple[int, int]) -> None:
        super().__init__()
        self.img_size = img_size
        self.conv = nn.Conv2d(2, 8, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        size = self.img_size
        if isinstance(size, int):
            size = (size, size)
        if images.shape[2:] != size:
            raise RuntimeError(f'{size} is needed')
        return self.conv(images)[:, :4], self.conv(images)


@pytest.mark.parametrize(('img_size', 'found'), [(40, (40, 40)), ((24, 56), (24, 56))])
def test_native_size_is_tried(
    tiny: Any, img_size: int | tuple[int, int], found: tuple[int, int]
) -> None:
    model = build_model(tiny.segmentor(backbone=dict(type=Fixed, img_size=img_size)))

    assert ModelView(model).shape(OUTPUT) == (1, 4, *found)


def test_failures_of_all_sizes_are_told(tiny: Any) -> None:
    model = build_model(tiny.segmentor(backbone=dict(type=Fixed, img_size=40)))
    model.backbone.conv = nn.Conv2d(2, 3, 1)
    model.train()

    with pytest.raises(ValueError, match='of any of the sizes tried') as error:
        trace(model)

    assert '(64, 64): (40, 40) is needed | (32, 32): ' in str(error.value)
    assert all(module.training for module in model.modules())


class ByValue(nn.Module):
    """A backbone that reads the values of an image before it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if float(images.sum()) != 0:
            raise RuntimeError('blank images alone')
        return self.conv(images)[:, :4], self.conv(images)


def test_shapes_need_no_values_but_where_a_model_asks_for_them(tiny: Any) -> None:
    devices = []
    for backbone in (tiny.segmentor()['backbone'], dict(type=ByValue)):
        model = build_model(tiny.segmentor(backbone=backbone))
        last = model.decode_head.conv_seg
        last.register_forward_hook(lambda *args: devices.append(args[2].device.type))
        weights = [p.data_ptr() for p in model.parameters()]

        assert trace(model).shape(OUTPUT)[:2] == (1, model.num_classes)

        assert [p.data_ptr() for p in model.parameters()] == weights
    assert devices == ['meta', 'cpu']


def test_tap_without_a_module_is_refused(tiny: Any) -> None:
    view = ModelView(build_model(tiny.segmentor()), role='teacher')

    with pytest.raises(ValueError, match=r"the teacher .* no module 'backbone\.stem'"):
        view.shape(Tap('backbone.stem'))
    with pytest.raises(ValueError, match=r'auxiliary_head.* the teacher .* no output'):
        view.shape(Tap('auxiliary_head.conv_seg'))
