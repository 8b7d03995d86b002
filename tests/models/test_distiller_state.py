import copy
import io
import logging
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel, ExponentialMovingAverage
from mmengine.runner import load_checkpoint
from torch import nn

from mmkd.models import Distiller, build_model

BOTH = dict(
    dual_head=dict(type='DualHead', head=dict(type='MLPClassifier')),
    kd=dict(type='LogitsKD'),
)


@pytest.fixture
def distiller(tiny: Any, task: str) -> Distiller:
    """After a forward pass, so that statistics are not the initial ones."""
    distiller = tiny.distiller(task, BOTH).train()
    data = distiller.data_preprocessor(tiny.batch(task), training=True)
    distiller(**data, mode='loss')
    return distiller


def written(distiller: nn.Module) -> dict[str, Any]:
    """The state dict as read back from a file."""
    file = io.BytesIO()
    torch.save(distiller.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def predictions(model: BaseModel, batch: dict[str, Any], task: str) -> list[Any]:
    field = 'pred_score' if task == 'images' else 'seg_logits'
    found = [getattr(each, field) for each in model.eval().val_step(batch)]
    return [getattr(each, 'data', each) for each in found]


def test_checkpoint_is_a_student(tiny: Any, task: str, distiller: Distiller) -> None:
    student = build_model(tiny.model(task))
    state = written(distiller)
    own = {key: value for key, value in state.items() if key[:8] != 'methods.'}

    student.load_state_dict(own, strict=True)

    assert len(own) < len(state)
    for one, other in zip(
        predictions(student, tiny.batch(task), task),
        predictions(distiller, tiny.batch(task), task),
        strict=True,
    ):
        assert one.equal(other)


def test_checkpoint_loads_in_plain_mmengine(
    tiny: Any, task: str, distiller: Distiller, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(tiny.folder / 'iter_1.pth')
    torch.save(dict(state_dict=distiller.state_dict()), path)
    student, logger = build_model(tiny.model(task)), logging.getLogger('plain')

    load_checkpoint(student, path, logger=logger)

    assert 'unexpected key in source state_dict: methods.' in caplog.text
    assert 'missing' not in caplog.text
    state = distiller.state_dict()
    assert all(value.equal(state[key]) for key, value in student.state_dict().items())


def test_versions_of_modules_are_kept(
    tiny: Any, task: str, distiller: Distiller
) -> None:
    """BatchNorm and others need them to read old checkpoints."""
    plain = tiny.plain(task).state_dict()._metadata
    found = distiller.state_dict()._metadata

    for name, value in plain.items():
        if name:
            assert found[name] == value
    assert not any(name.startswith('student.') for name in found)


def test_everything_is_restored(tiny: Any, task: str, distiller: Distiller) -> None:
    other = tiny.distiller(task, BOTH)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_()
    state = written(distiller)

    report = other.load_state_dict(state, strict=True)

    assert (report.missing_keys, report.unexpected_keys) == ([], [])
    for (name, one), (_, two) in zip(
        distiller.named_parameters(), other.named_parameters(), strict=True
    ):
        assert one.equal(two), name
    for (name, one), (_, two) in zip(
        distiller.named_buffers(), other.named_buffers(), strict=True
    ):
        assert one.equal(two), name


def test_loading_leaves_the_given_dict_alone(distiller: Distiller) -> None:
    state = distiller.state_dict()
    keys = list(state)

    distiller.load_state_dict(state)

    assert list(state) == keys


def test_student_alone_may_be_loaded(
    tiny: Any, task: str, distiller: Distiller
) -> None:
    """A distillation starts from a pretrained student."""
    student = build_model(tiny.model(task))

    report = distiller.load_state_dict(student.state_dict(), strict=False)

    assert report.unexpected_keys == []
    assert all(key.startswith('methods.') for key in report.missing_keys)
    state = distiller.state_dict()
    assert all(value.equal(state[key]) for key, value in student.state_dict().items())


def test_wrong_keys_are_reported(distiller: Distiller) -> None:
    state = distiller.state_dict()
    del state['methods.dual_head.head.layers.0.weight']
    state['neck.strange'] = torch.ones(1)

    report = distiller.load_state_dict(state, strict=False)

    assert report.missing_keys == ['methods.dual_head.head.layers.0.weight']
    assert [key.rpartition('.')[2] for key in report.unexpected_keys] == ['strange']


def test_wrapped_distiller_has_a_students_keys(distiller: Distiller) -> None:
    wrapper = nn.ModuleDict(dict(module=distiller))
    plain, wrapped = distiller.state_dict(), wrapper.state_dict()

    assert set(wrapped) == {f'module.{key}' for key in plain}
    assert not any('student.' in key for key in wrapped)
    report = wrapper.load_state_dict(wrapped, strict=True)
    assert (report.missing_keys, report.unexpected_keys) == ([], [])


def test_teacher_is_no_part_of_the_model(distiller: Distiller) -> None:
    frozen = {id(p) for p in distiller.teacher.model.parameters()}
    modules = {id(module) for module in distiller.teacher.model.modules()}

    assert frozen
    assert not frozen & {id(p) for p in distiller.parameters()}
    assert not modules & {id(module) for module in distiller.modules()}
    assert not any('teacher' in name for name, _ in distiller.named_modules())
    assert not any('teacher' in key for key in distiller.state_dict())


def test_teacher_stays_in_evaluation(distiller: Distiller) -> None:
    for mode in (True, False, True):
        distiller.train(mode)
        assert not any(m.training for m in distiller.teacher.model.modules())
    distiller.requires_grad_(True)
    distiller.zero_grad()
    assert not any(p.requires_grad for p in distiller.teacher.model.parameters())


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_teacher_follows_the_dtype(distiller: Distiller, dtype: torch.dtype) -> None:
    distiller.to(dtype)

    weights = [distiller, distiller.teacher.model]
    assert {p.dtype for each in weights for p in each.parameters()} == {dtype}


def test_teacher_follows_the_device(distiller: Distiller) -> None:
    distiller.to('meta')

    assert all(p.is_meta for p in distiller.teacher.model.parameters())
    assert all(p.is_meta for p in distiller.parameters())


def test_double_precision_trains(tiny: Any, task: str, distiller: Distiller) -> None:
    distiller.double()
    data = distiller.data_preprocessor(tiny.batch(task), training=True)
    data['inputs'] = data['inputs'].double()

    total, _ = distiller.parse_losses(distiller(**data, mode='loss'))

    assert total.dtype == torch.float64


def test_copy_shares_the_teacher_alone(
    tiny: Any, task: str, distiller: Distiller
) -> None:
    other = copy.deepcopy(distiller)

    assert other.teacher.model is distiller.teacher.model
    assert other.student_view.model is other
    own = {id(p) for p in distiller.parameters()}
    assert not own & {id(p) for p in other.parameters()}
    for model in (distiller, other):
        data = model.data_preprocessor(tiny.batch(task), training=True)
        losses = model(**data, mode='loss')
        assert torch.isfinite(losses['distill.dual_head.loss'])


def test_average_of_a_distiller(tiny: Any, task: str, distiller: Distiller) -> None:
    average = ExponentialMovingAverage(distiller, momentum=0.5)
    first = {key: p.detach().clone() for key, p in distiller.named_parameters()}
    average.update_parameters(distiller)
    with torch.no_grad():
        for parameter in distiller.parameters():
            parameter.add_(1)

    average.update_parameters(distiller)

    assert average.module.teacher.model is distiller.teacher.model
    state = average.state_dict()
    assert 'module.backbone.layer1.0.conv1.weight' in state
    assert not any('teacher' in key or 'student' in key for key in state)
    for key, parameter in average.module.named_parameters():
        torch.testing.assert_close(parameter.detach(), first[key] + 0.5)
    other = ExponentialMovingAverage(tiny.distiller(task, BOTH), momentum=0.5)
    other.load_state_dict(state, strict=True)
    for one, two in zip(average.parameters(), other.parameters(), strict=True):
        assert one.equal(two)
