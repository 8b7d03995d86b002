from typing import Any

import pytest
import torch
from torch import Tensor

from mmkd.models import FrozenTeacher, Tap, build_model
from mmkd.models.discovery import OUTPUT


def fed_to(teacher: FrozenTeacher, inputs: Tensor) -> Tensor:
    """The tensor that the teacher's backbone gets."""
    tap = Tap('backbone', 'input')
    return teacher(inputs, [tap])[tap]


@pytest.fixture
def raw() -> Tensor:
    return torch.randint(256, (2, 3, 16, 16), generator=torch.Generator()).byte()


OTHER = dict(mean=[100.0, 120.0, 140.0], std=[50.0, 60.0, 75.0])


@pytest.mark.parametrize(
    'changes',
    [
        OTHER,
        dict(to_rgb=False),
        OTHER | dict(to_rgb=False),
        dict(mean=None, std=None),
        dict(mean=None, std=None, to_rgb=False),
        dict(mean=[127.5], std=[127.5]),
    ],
)
@pytest.mark.parametrize('swapped', [False, True])
def test_teacher_is_fed_what_it_was_trained_on(
    tiny: Any, raw: Tensor, changes: dict[str, Any], swapped: bool
) -> None:
    usual, other = tiny.classifier(), tiny.classifier()
    other['data_preprocessor'].update(changes)
    config, student = (usual, other) if swapped else (other, usual)
    frozen = FrozenTeacher(**tiny.teacher(config))
    preprocessor = build_model(student).data_preprocessor

    frozen.match_inputs(preprocessor)

    fed = fed_to(frozen, preprocessor(dict(inputs=raw))['inputs'])
    own = frozen.model.data_preprocessor(dict(inputs=raw))['inputs']
    torch.testing.assert_close(fed, own, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('bgr_to_rgb', [False, True])
@pytest.mark.parametrize('original', [False, True])
def test_segmentors_are_fed_likewise(
    tiny: Any, raw: Tensor, bgr_to_rgb: bool, original: bool
) -> None:
    config = tiny.segmentor()
    config['data_preprocessor'].update(OTHER, bgr_to_rgb=bgr_to_rgb)
    frozen = FrozenTeacher(**tiny.teacher(config))
    preprocessor = build_model(tiny.segmentor()).data_preprocessor
    own = frozen.model.data_preprocessor(dict(inputs=list(raw)))['inputs']
    inputs = preprocessor(dict(inputs=list(raw)))['inputs']
    if original:
        # The original MMSegmentation's name for it.
        for each in (preprocessor, frozen.model.data_preprocessor):
            if '_channel_conversion' in each.__dict__:
                each.channel_conversion = each.__dict__.pop('_channel_conversion')

    frozen.match_inputs(preprocessor)

    torch.testing.assert_close(fed_to(frozen, inputs), own, rtol=1e-5, atol=1e-5)


def test_same_preprocessing_changes_nothing(tiny: Any, task: str) -> None:
    frozen = FrozenTeacher(**tiny.teacher(tiny.model(task)))
    inputs = torch.randn(2, 3, 16, 16)

    frozen.match_inputs(build_model(tiny.model(task)).data_preprocessor)

    assert fed_to(frozen, inputs).equal(inputs)


def test_teacher_without_preprocessing_is_fed_like_the_student(tiny: Any) -> None:
    config = tiny.segmentor()
    del config['data_preprocessor']
    frozen = FrozenTeacher(**tiny.teacher(config))
    inputs = torch.randn(2, 3, 16, 16)

    frozen.match_inputs(build_model(tiny.segmentor()).data_preprocessor)

    assert fed_to(frozen, inputs).equal(inputs)


def test_conversion_keeps_half_precision(tiny: Any) -> None:
    config = tiny.classifier()
    config['data_preprocessor'].update(OTHER)
    frozen = FrozenTeacher(**tiny.teacher(config))
    frozen.match_inputs(build_model(tiny.classifier()).data_preprocessor)
    frozen.apply(lambda tensor: tensor.bfloat16())

    assert fed_to(frozen, torch.randn(2, 3, 16, 16).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize('channels', [1, 4])
def test_other_than_three_channels_keep_their_order(tiny: Any, channels: int) -> None:
    """As the preprocessors leave them, whatever their setting."""
    usual, other = tiny.classifier(), tiny.classifier()
    for config in (usual, other):
        config['backbone']['in_channels'] = channels
        config['data_preprocessor'].update(mean=[100.0], std=[50.0], to_rgb=False)
    other['data_preprocessor'].update(to_rgb=True, mean=[90.0])
    frozen = FrozenTeacher(**tiny.teacher(other))
    preprocessor = build_model(usual).data_preprocessor
    raw = torch.randint(256, (2, channels, 16, 16)).byte()

    frozen.match_inputs(preprocessor)

    fed = fed_to(frozen, preprocessor(dict(inputs=raw))['inputs'])
    own = frozen.model.data_preprocessor(dict(inputs=raw))['inputs']
    torch.testing.assert_close(fed, own, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('first', ['moved', 'matched'])
def test_what_its_steps_compute_with_moves_once(tiny: Any, first: str) -> None:
    config = tiny.classifier()
    config['data_preprocessor'].update(OTHER)
    frozen = FrozenTeacher(**tiny.teacher(config))
    frozen.match_inputs(build_model(tiny.classifier()).data_preprocessor)
    frozen.view.class_names = ['cat', 'dog', 'eel', 'fox']
    names = ['dog', 'cat', 'eel', 'fox']
    if first == 'matched':
        frozen.classes.match(names)

    frozen.apply(lambda tensor: tensor.to('meta'))
    frozen.classes.match(names)

    images = torch.empty(2, 3, 16, 16, device='meta')
    assert frozen(images, [OUTPUT])[OUTPUT].is_meta
    assert frozen.classes.channels.is_meta
