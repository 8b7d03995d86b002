from typing import Any

import pytest
import torch
from label_maps import most
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mmkd.loss_groups import groups_of
from mmkd.models import build_model

ALPHA = 0.3
BOTH = dict(
    dual_head=dict(type='DualHead', weight=0.5),
    kd=dict(type='LogitsKD', weight=ALPHA, task_weight=1 - ALPHA),
)


def losses_of(distiller: BaseModel, batch: dict[str, Any]) -> dict[str, Tensor]:
    data = distiller.data_preprocessor(batch, training=True)
    return distiller(**data, mode='loss')


def total_of(distiller: BaseModel, batch: dict[str, Any]) -> Tensor:
    return distiller.parse_losses(losses_of(distiller, batch))[0]


def by_hand(tiny: Any, task: str, distiller: BaseModel) -> Tensor:
    """DHKD and KD of plain models, with plain hooks."""
    student = build_model(tiny.model(task))
    teacher = build_model(tiny.model(task, width=8)).eval()
    student.load_state_dict(tiny.own_state(distiller))
    teacher.load_state_dict(torch.load(tiny.folder / 'teacher_1.pth')['state_dict'])
    data = student.data_preprocessor(tiny.batch(task), training=True)
    last = student.head.fc if task == 'images' else student.decode_head.conv_seg
    seen: list[Tensor] = []
    last.register_forward_hook(lambda _, args, output: seen.extend([*args, output]))
    with torch.no_grad():
        z_t = teacher(data['inputs'], mode='tensor')

    own = student.parse_losses(student(**data, mode='loss'))[0]
    feature, z_s = seen
    auxiliary = distiller.methods['dual_head'].head(feature)
    mask = torch.ones(len(z_s), dtype=torch.bool)
    if task == 'pixels':
        labels = [sample.gt_sem_seg.data for sample in data['data_samples']]
        mask = most(torch.cat(labels), z_s.shape[2:]) != 255
        z_t = F.interpolate(z_t, z_s.shape[2:], mode='bilinear')
    z_t, z_s, auxiliary = (x.movedim(1, -1)[mask] for x in (z_t, z_s, auxiliary))
    norm = 4 * ((auxiliary - z_t) / 4).cosh().log().sum(1).mean()
    kl = 16 * F.kl_div(
        (z_s / 4).log_softmax(1), (z_t / 4).softmax(1), reduction='batchmean'
    )
    return (1 - ALPHA) * own + 0.5 * norm + ALPHA * kl


def test_loss_is_that_of_plain_models(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task, BOTH).train()

    expected = by_hand(tiny, task, distiller)
    total = total_of(distiller, tiny.batch(task))

    torch.testing.assert_close(total, expected, rtol=1e-6, atol=1e-6)


def test_gradient_is_that_of_plain_models(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task, BOTH).train()
    head = distiller.methods['dual_head'].head.classifier.weight

    expected = torch.autograd.grad(by_hand(tiny, task, distiller), head)[0]
    total = total_of(distiller, tiny.batch(task))

    torch.testing.assert_close(torch.autograd.grad(total, head)[0], expected)


def test_student_is_trained_as_alone(tiny: Any, task: str) -> None:
    """Neither the teacher nor the auxiliary head disturbs its forward."""
    distiller = tiny.distiller(task).train()
    student = build_model(tiny.model(task))
    student.load_state_dict(tiny.own_state(distiller))
    data = student.data_preprocessor(tiny.batch(task), training=True)

    losses = losses_of(distiller, tiny.batch(task))

    for key, value in student(**data, mode='loss').items():
        torch.testing.assert_close(losses.pop(key), value, rtol=0, atol=0)
    assert list(losses) == ['distill.dual_head.loss']
    state = student.state_dict()
    for key, value in tiny.own_state(distiller).items():
        assert value.equal(state[key]), key


def test_groups_are_kept_apart(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task, BOTH)
    losses = losses_of(distiller, tiny.batch(task))

    total, log = distiller.parse_losses(losses)

    task_loss, distillation = groups_of(total)
    added = losses['distill.dual_head.loss'] + losses['distill.kd.loss']
    torch.testing.assert_close(distillation, added)
    torch.testing.assert_close(task_loss + distillation, total)
    assert log['loss'] is total
    torch.testing.assert_close(task_loss, (1 - ALPHA) * log['task_loss'])
    assert set(losses) < set(log)


def test_idle_method_keeps_its_gradients_zero(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task, BOTH).train()
    distiller.methods['dual_head'].schedule_factor = 0

    losses = losses_of(distiller, tiny.batch(task))
    distiller.parse_losses(losses)[0].backward()

    assert losses['distill.dual_head.loss'] == 0
    assert losses['distill.kd.loss'] != 0
    gradients = [p.grad for p in distiller.methods['dual_head'].parameters()]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)
    assert all(p.grad is not None for p in distiller.parameters())


def test_teacher_rests_while_no_method_is_active(
    tiny: Any, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    distiller = tiny.distiller(task, BOTH)
    ran: list[int] = []
    distiller.teacher.model.register_forward_hook(lambda *_: ran.append(1))

    losses_of(distiller, tiny.batch(task))
    assert len(ran) == 1
    for method in distiller.methods.values():
        method.schedule_factor = 0
    losses_of(distiller, tiny.batch(task))
    distiller(torch.randn(1, 3, 32, 32))

    assert len(ran) == 1


def test_distiller_without_methods_is_the_student(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task, {})

    total = total_of(distiller, tiny.batch(task))

    assert groups_of(total).distillation is None


def test_predictions_are_the_students(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task).eval()
    batch = tiny.batch(task)
    images = torch.randn(2, 3, 32, 32)

    found = distiller.val_step(batch)
    student = tiny.plain(task).eval()
    student.load_state_dict(tiny.own_state(distiller))
    expected = student.test_step(tiny.batch(task))

    assert distiller(images).equal(student(images, mode='tensor'))
    field = 'pred_score' if task == 'images' else 'seg_logits'
    for one, other in zip(found, expected, strict=True):
        values = [getattr(each, field) for each in (one, other)]
        values = [getattr(value, 'data', value) for value in values]
        assert values[0].equal(values[1])


def test_loss_needs_annotations(tiny: Any) -> None:
    with pytest.raises(ValueError, match='needs data_samples'):
        tiny.distiller()(torch.randn(1, 3, 32, 32), mode='loss')
