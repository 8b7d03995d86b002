from pathlib import Path
from typing import Any

import pytest
import torch
from label_maps import most
from torch import Tensor, nn

from mmkd.models import Distiller, build_model
from mmkd.models.methods import MultiHead
from mmkd.models.taps import capture

ALPHA, BETA, TAU = 0.7, 0.3, 2.5
SETTINGS = dict(
    type='MultiHead',
    head=dict(type='ConvClassifier', channels=16),
    loss=dict(type='KLDivergenceLoss', tau=TAU),
    alpha=ALPHA,
    weight=BETA,
)
KD = dict(
    type='LogitsKD',
    weight=ALPHA,
    task_weight=1 - ALPHA,
    loss=dict(type='KLDivergenceLoss', tau=TAU),
)


def three_stages(tiny: Any, task: str, **backbone: Any) -> dict[str, Any]:
    """A model of three stages: maps of 1, 1/2, 1/4; for pixels 1/4, 1/8, 1/16."""
    model = tiny.model(task)
    if task == 'pixels':
        changes = dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1))
        model['backbone'].update(changes, out_indices=(0, 1, 2), **backbone)
        model.pop('auxiliary_head')
        width = 4 * model['backbone']['base_channels']
        model['decode_head'].update(in_channels=width, in_index=2)
        return model
    settings = dict(depth=8, stem_channels=4, base_channels=4) | backbone
    model['backbone'] = dict(type='mmkd.ResNetCIFAR', **settings)
    model['head']['in_channels'] = 4 * settings['base_channels']
    return model


def distiller_of(
    tiny: Any, task: str, kd: bool = False, teacher: Any = None, **settings: Any
) -> Distiller:
    if teacher is None:
        depth = dict(depth=14) if task == 'images' else {}
        teacher = three_stages(tiny, task, base_channels=8, **depth)
    methods = dict(multi_head=SETTINGS | settings)
    if kd:
        methods['kd'] = KD
    student = three_stages(tiny, task)
    distiller = tiny.distiller(
        task, methods, student=student, teacher=tiny.teacher(teacher)
    )
    return distiller.train()


def batch_of(distiller: Distiller, tiny: Any, task: str, **settings: Any) -> Any:
    return distiller.data_preprocessor(tiny.batch(task, **settings), training=True)


def losses_of(distiller: Distiller, data: dict[str, Any]) -> dict[str, Tensor]:
    prefix = 'distill.multi_head.'
    losses = distiller(**data, mode='loss')
    return {
        key.removeprefix(prefix): value
        for key, value in losses.items()
        if key.startswith(prefix)
    }


# The equations again, in float64 and without any of mmkd's losses.


def rows(logits: Tensor) -> Tensor:
    """One row of logits per classified position."""
    return logits.double().movedim(1, -1).flatten(0, -2)


def labels_of(data: dict[str, Any], size: tuple[int, ...]) -> Tensor:
    """The label of each position of a map."""
    if not size:
        return torch.cat([sample.gt_label for sample in data['data_samples']])
    maps = torch.cat([sample.gt_sem_seg.data for sample in data['data_samples']])
    return most(maps, size).flatten()


def cross_entropy(logits: Tensor, data: dict[str, Any]) -> Tensor:
    labels = labels_of(data, tuple(logits.shape[2:]))
    log_p = rows(logits).log_softmax(1)
    chosen = [
        -row[label] for row, label in zip(log_p, labels, strict=True) if label != 255
    ]
    return torch.stack(chosen).mean()


def divergence(teacher: Tensor, student: Tensor, data: dict[str, Any]) -> Tensor:
    if student.dim() == 4:
        teacher = nn.functional.interpolate(
            teacher.double(), student.shape[2:], mode='bilinear'
        )
    labels = labels_of(data, tuple(student.shape[2:]))
    p = (rows(teacher) / TAU).softmax(1)
    q = (rows(student) / TAU).softmax(1)
    sums = (p * (p / q).log()).sum(1)
    return sums[labels != 255].mean() * TAU**2


def head_logits(
    distiller: Distiller, data: dict[str, Any]
) -> list[tuple[Tensor, Tensor]]:
    """Head logits of teacher and student, from features captured by hand."""
    method = distiller.methods['multi_head']
    outputs = []
    for model, taps, heads in (
        (distiller.teacher.model, method.taps_in_teacher, method.teacher_heads),
        (distiller, method.taps_in_student, method.student_heads),
    ):
        with capture(model, taps) as values:
            model(data['inputs'], mode='tensor')
        pairs = zip(heads, taps, strict=True)
        outputs.append([head(values[tap]) for head, tap in pairs])
    return list(zip(*outputs, strict=True))


def ohkd(teacher: Tensor, student: Tensor, data: dict[str, Any]) -> Tensor:
    """Equation 1."""
    imitation = divergence(teacher.detach(), student, data)
    return ALPHA * imitation + (1 - ALPHA) * cross_entropy(student, data)


@pytest.mark.parametrize('stages', [(0, 1, 2), (1,), (2, 0)])
def test_equation_1(tiny: Any, task: str, stages: tuple[int, ...]) -> None:
    distiller = distiller_of(tiny, task, stages=stages)
    data = batch_of(distiller, tiny, task)
    losses = losses_of(distiller, data)
    pairs = head_logits(distiller, data)
    assert len(pairs) == len(stages)
    student = BETA * sum(ohkd(*pair, data) for pair in pairs)
    teacher = sum(cross_entropy(logits, data) for logits, _ in pairs)
    assert losses['loss_student_heads'].item() == pytest.approx(student.item(), 1e-4)
    assert losses['loss_teacher_heads'].item() == pytest.approx(teacher.item(), 1e-4)


def test_equation_2_with_the_original_kd_beside_it(tiny: Any, task: str) -> None:
    distiller = distiller_of(tiny, task, kd=True)
    data = batch_of(distiller, tiny, task)
    total, _ = distiller.parse_losses(distiller(**data, mode='loss'))
    own = distiller(**data, mode='loss')
    own_loss = sum(
        value
        for key, value in own.items()
        if 'loss' in key and not key.startswith('distill.')
    )
    teacher = distiller.teacher.model(data['inputs'], mode='tensor')
    student = distiller(data['inputs'], mode='tensor')
    final = ALPHA * divergence(teacher, student, data) + (1 - ALPHA) * own_loss
    pairs = head_logits(distiller, data)
    expected = BETA * sum(ohkd(*pair, data) for pair in pairs) + final
    expected = expected + sum(cross_entropy(logits, data) for logits, _ in pairs)
    assert total.item() == pytest.approx(expected.item(), 1e-4)


def test_soft_targets_take_the_place_of_labels(tiny: Any) -> None:
    distiller = distiller_of(tiny, 'images', stages=(1,))
    data = batch_of(distiller, tiny, 'images')
    scores = torch.rand(4, 4).softmax(1)
    for sample, score in zip(data['data_samples'], scores, strict=True):
        sample.set_gt_score(score)
    losses = losses_of(distiller, data)
    [(teacher, student)] = head_logits(distiller, data)
    soft = [-(scores * x.log_softmax(1)).sum(1).mean() for x in (teacher, student)]
    imitation = divergence(teacher.detach(), student, data)
    expected = BETA * (ALPHA * imitation + (1 - ALPHA) * soft[1])
    assert losses['loss_student_heads'].item() == pytest.approx(expected.item(), 1e-4)
    assert losses['loss_teacher_heads'].item() == pytest.approx(soft[0].item(), 1e-4)


def test_a_batch_without_any_class_costs_nothing(tiny: Any) -> None:
    distiller = distiller_of(tiny, 'pixels')
    losses = losses_of(distiller, batch_of(distiller, tiny, 'pixels', ignored=1.1))
    assert [loss.item() for loss in losses.values()] == [0.0, 0.0]


def gradients(loss: Tensor, module: nn.Module) -> dict[str, Tensor | None]:
    named = dict(module.named_parameters())
    values = torch.autograd.grad(
        loss, list(named.values()), retain_graph=True, allow_unused=True
    )
    return dict(zip(named, values, strict=True))


def reached(loss: Tensor, module: nn.Module) -> set[str]:
    """The children of a module whose parameters get a gradient from a loss."""
    return {
        '.'.join(name.split('.')[:2])
        for name, value in gradients(loss, module).items()
        if value is not None
        and value.abs().sum() > 0
        and not name.startswith('methods.')
    }


def test_gradients_reach_the_backbone_up_to_the_stage(tiny: Any, task: str) -> None:
    distiller = distiller_of(tiny, task, stages=(1,))
    losses = losses_of(distiller, batch_of(distiller, tiny, task))
    stem = {'backbone.conv1', 'backbone.bn1'}
    student = reached(losses['loss_student_heads'], distiller)
    assert student == stem | {'backbone.layer1', 'backbone.layer2'}
    assert reached(losses['loss_teacher_heads'], distiller) == set()


def test_teacher_heads_learn_from_labels_alone(tiny: Any, task: str) -> None:
    distiller = distiller_of(tiny, task)
    data = batch_of(distiller, tiny, task)
    heads = distiller.methods['multi_head'].teacher_heads
    losses = losses_of(distiller, data)
    assert reached(losses['loss_student_heads'], heads) == set()
    found = gradients(sum(losses.values()), heads)
    pairs = head_logits(distiller, data)
    labels = sum(cross_entropy(logits, data) for logits, _ in pairs)
    for name, value in gradients(labels, heads).items():
        assert value.abs().sum() > 0, name
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-6)


def test_student_heads_learn_from_labels_and_teacher_heads(
    tiny: Any, task: str
) -> None:
    distiller = distiller_of(tiny, task)
    data = batch_of(distiller, tiny, task)
    heads = distiller.methods['multi_head'].student_heads
    losses = losses_of(distiller, data)
    assert reached(losses['loss_teacher_heads'], heads) == set()
    found = gradients(losses['loss_student_heads'], heads)
    pairs = head_logits(distiller, data)
    expected = gradients(BETA * sum(ohkd(*pair, data) for pair in pairs), heads)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5)


def test_the_teacher_stays_as_it_was(tiny: Any, task: str) -> None:
    distiller = distiller_of(tiny, task, kd=True)
    teacher = distiller.teacher.model
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.1)
    data = batch_of(distiller, tiny, task)
    distiller.parse_losses(distiller(**data, mode='loss'))[0].backward()
    optimizer.step()
    assert all(p.grad is None for p in teacher.parameters())
    for key, value in teacher.state_dict().items():
        assert torch.equal(value, before[key]), key
    method = distiller.methods['multi_head']
    trained = {id(p) for p in optimizer.param_groups[0]['params']}
    assert {id(p) for p in method.parameters()} <= trained


def test_teachers_of_other_depths_widths_and_map_sizes(tiny: Any) -> None:
    teacher = tiny.model('images')
    teacher['backbone'] = dict(type='mmkd.MobileNetV2CIFAR', widen_factor=0.25)
    teacher['head']['in_channels'] = 1280
    distiller = distiller_of(tiny, 'images', teacher=teacher)
    data = batch_of(distiller, tiny, 'images', size=32)
    method = distiller.methods['multi_head']
    with capture(distiller.teacher.model, method.taps_in_teacher) as maps:
        distiller.teacher.model(data['inputs'], mode='tensor')
    shapes = [tuple(maps[tap].shape[1:]) for tap in method.taps_in_teacher]
    assert shapes == [(6, 16, 16), (8, 8, 8), (24, 4, 4)]
    losses = losses_of(distiller, data)
    expected = sum(ohkd(*pair, data) for pair in head_logits(distiller, data))
    assert losses['loss_student_heads'].item() == pytest.approx(
        BETA * expected.item(), 1e-4
    )


def test_teacher_maps_of_another_resolution_per_pixel(tiny: Any) -> None:
    teacher = three_stages(tiny, 'pixels', base_channels=8)
    teacher['backbone'].update(strides=(1, 2, 1), dilations=(1, 1, 2))
    distiller = distiller_of(tiny, 'pixels', teacher=teacher, stages=(0, 2))
    data = batch_of(distiller, tiny, 'pixels', size=64)
    pairs = head_logits(distiller, data)
    sizes = [tuple(logits.shape[2:]) for pair in pairs for logits in pair]
    # A quarter of the stages' sizes: 16, 16, 8 and 4.
    assert sizes == [(4, 4), (4, 4), (2, 2), (1, 1)]
    student = BETA * sum(ohkd(*pair, data) for pair in pairs)
    losses = losses_of(distiller, data)
    assert losses['loss_student_heads'].item() == pytest.approx(student.item(), 1e-4)


def test_stages_by_name_and_a_teacher_with_more_of_them(tiny: Any) -> None:
    distiller = distiller_of(
        tiny, 'images', stages=('backbone.layer1', 1), teacher_stages=(1, 2)
    )
    method = distiller.methods['multi_head']
    assert [tap.path for tap in method.taps_in_student] == [
        'backbone.layer1',
        'backbone.layer2',
    ]
    assert [tap.path for tap in method.taps_in_teacher] == [
        'backbone.layer2',
        'backbone.layer3',
    ]
    assert set(losses_of(distiller, batch_of(distiller, tiny, 'images'))) == {
        'loss_student_heads',
        'loss_teacher_heads',
    }


def trained_step(distiller: Distiller, optimizer: Any, data: dict[str, Any]) -> None:
    optimizer.zero_grad()
    distiller.parse_losses(distiller(**data, mode='loss'))[0].backward()
    optimizer.step()


def test_resuming_restores_the_heads_of_both(
    tiny: Any, task: str, tmp_path: Path
) -> None:
    def start() -> tuple[Distiller, torch.optim.Optimizer]:
        distiller = distiller_of(tiny, task, kd=True)
        return distiller, torch.optim.SGD(distiller.parameters(), 0.1, momentum=0.9)

    straight, optimizer = start()
    first, second = (batch_of(straight, tiny, task, seed=seed) for seed in (1, 2))
    trained_step(straight, optimizer, first)
    file = tmp_path / 'iter_1.pth'
    torch.save((straight.state_dict(), optimizer.state_dict()), file)
    trained_step(straight, optimizer, second)

    resumed, optimizer = start()
    for parameter in resumed.parameters():
        nn.init.normal_(parameter)
    state, optimizer_state = torch.load(file, weights_only=True)
    resumed.load_state_dict(state)
    optimizer.load_state_dict(optimizer_state)
    trained_step(resumed, optimizer, second)
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_deployed_student_has_no_heads(tiny: Any, task: str) -> None:
    distiller = distiller_of(tiny, task, kd=True)
    state = distiller.state_dict()
    heads = {key for key in state if key.startswith('methods.')}
    kinds = {'.'.join(key.split('.')[:3]) for key in heads}
    assert kinds == {
        'methods.multi_head.student_heads',
        'methods.multi_head.teacher_heads',
    }
    plain = build_model(three_stages(tiny, task))
    plain.load_state_dict({key: state[key] for key in state if key not in heads})
    data = batch_of(distiller, tiny, task)
    distiller.eval()
    torch.testing.assert_close(
        plain.eval()(data['inputs'], mode='tensor'),
        distiller(data['inputs'], mode='tensor'),
        rtol=0,
        atol=0,
    )


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(alpha=1.5), 'alpha must be between 0 and 1, got 1.5'),
        (dict(alpha=float('nan')), 'alpha must be between 0 and 1, got nan'),
        (dict(weight=-1), 'weight of MultiHead must be finite and at least 0, got -1'),
        (dict(stages=(0, 7)), 'has no stage 7. Stages found: backbone.layer1'),
        (dict(stages=(7,)), 'Set the method.s stage or stages to indices of these'),
        (
            dict(stages=(0,), teacher_stages=(7,)),
            'Set the method.s teacher_stage or teacher_stages to indices of these',
        ),
        (dict(stages=(0, 1), teacher_stages=(2,)), r'\(0, 1\) .* \(2,\) must pair up'),
        (dict(stages=()), 'stages must name at least one stage'),
        (dict(stages=('backbone.layer9',)), 'Nearest names: .*backbone.layer1'),
    ],
)
def test_wrong_settings(tiny: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        distiller_of(tiny, 'images', **settings)


def test_other_classes_of_the_teacher(tiny: Any) -> None:
    teacher = three_stages(tiny, 'images')
    teacher['head']['num_classes'] = 5
    with pytest.raises(ValueError, match='4 classes and the teacher 5'):
        distiller_of(tiny, 'images', teacher=teacher)


def test_the_defaults_are_the_paper_s(tiny: Any) -> None:
    student = three_stages(tiny, 'images')
    distiller = tiny.distiller(
        'images',
        dict(multi_head=dict(type='MultiHead')),
        student=student,
        teacher=tiny.teacher(student),
    )
    method = distiller.methods['multi_head']
    assert isinstance(method, MultiHead)
    assert (method.alpha, method.weight, method.loss_fn.tau) == (0.9, 0.5, 4.0)
    taps = [f'backbone.layer{number}' for number in (1, 2, 3)]
    assert [tap.path for tap in method.taps_in_student] == taps
    assert [tap.path for tap in method.taps_in_teacher] == taps
