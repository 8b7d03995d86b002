from typing import Any

import numpy as np
import pytest
import torch
from label_maps import most
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.loss_groups import groups_of
from mmkd.models import Tap, capture
from mmkd.models.discovery import OUTPUT
from mmkd.models.methods import DualHead
from mmkd.structures import Targets

TAU = 3.0
DUAL = dict(type='DualHead', loss=dict(type='BinaryKLNormLoss', tau=TAU), weight=0.5)


def binary_kl_norm(student: Tensor, teacher: Tensor) -> float:
    """KL of a fair coin from the sigmoid of the difference, over rows."""
    p = torch.sigmoid((student - teacher).double() / TAU)
    terms = -0.5 * (2 * p).log() - 0.5 * (2 * (1 - p)).log()
    return float(TAU**2 * terms.sum() / len(p))


def binary_kl(student: Tensor, teacher: Tensor) -> float:
    p, q = (torch.sigmoid(logits.double() / TAU) for logits in (teacher, student))
    terms = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    return float(TAU**2 * terms.sum() / len(p))


def rows(logits: Tensor, mask: Tensor) -> Tensor:
    return logits.movedim(1, -1)[mask]


@pytest.mark.parametrize(
    ('kind', 'definition'),
    [('BinaryKLNormLoss', binary_kl_norm), ('BinaryKLLoss', binary_kl)],
)
def test_auxiliary_head_learns_the_teachers_logits(
    bench: Any, task: str, kind: str, definition: Any
) -> None:
    settings = DUAL | dict(loss=dict(type=kind, tau=TAU))
    trial = bench(task, dual_head=settings)
    data = trial.data()

    loss = trial.loss(data)

    feature, expected = trial.features(data)
    weight, bias = (p.double() for p in trial.method.head.classifier.parameters())
    logits = torch.einsum('nc...,kc->nk...', feature, weight.flatten(1))
    logits = logits + bias.view(-1, *[1] * (logits.dim() - 2))
    labels = trial.targets(data).labels
    mask = torch.ones(len(labels), dtype=torch.bool)
    if task == 'pixels':
        mask = most(labels, (4, 4)) != 255
        expected = F.interpolate(expected, mask.shape[1:], mode='bilinear')
    manual = 0.5 * definition(rows(logits, mask), rows(expected, mask))
    assert loss.item() == pytest.approx(manual, rel=1e-5)


@pytest.mark.parametrize('head', ['LinearClassifier', 'MLPClassifier'])
def test_each_head_has_its_own_loss(bench: Any, task: str, head: str) -> None:
    trial = bench(task, dual_head=DUAL | dict(head=dict(type=head)))
    student, data = trial.distiller, trial.data()
    main = student.get_submodule(trial.distiller.student_view.classifier)
    auxiliary = list(trial.method.parameters())

    backbone = list(student.backbone.layer1.parameters())

    loss = trial.loss(data)
    own = torch.autograd.grad(
        loss, [*main.parameters()], retain_graph=True, allow_unused=True
    )
    reached = torch.autograd.grad(loss, [*backbone, *auxiliary])
    losses = trial.distiller(**data, mode='loss')
    task_loss = groups_of(trial.distiller.parse_losses(losses)[0]).task
    strange = torch.autograd.grad(task_loss, auxiliary, allow_unused=True)

    assert own == (None, None)
    assert all(gradient.any() for gradient in reached[: len(backbone) + 1])
    assert all(gradient is None for gradient in strange)


def test_one_head_for_both_losses(bench: Any, task: str) -> None:
    trial = bench(task, dual_head=DUAL | dict(head=None))
    data = trial.data()
    path = trial.distiller.student_view.classifier
    main = trial.distiller.get_submodule(path)

    loss = trial.loss(data)
    gradients = torch.autograd.grad(loss, [*main.parameters()])

    assert list(trial.method.parameters()) == []
    assert trial.method.taps_in_student == [Tap(path)]
    assert all(gradient.any() for gradient in gradients)
    logits, expected = trial.features(data)
    labels = trial.targets(data).labels
    mask = torch.ones(len(labels), dtype=torch.bool)
    if task == 'pixels':
        mask = most(labels, (4, 4)) != 255
        expected = F.interpolate(expected, mask.shape[1:], mode='bilinear')
    manual = 0.5 * binary_kl_norm(rows(logits, mask), rows(expected, mask))
    assert loss.item() == pytest.approx(manual, rel=1e-5)


@pytest.mark.parametrize(
    'kind', ['LinearClassifier', 'MLPClassifier', 'ConvClassifier']
)
def test_the_head_starts_as_its_config_says(bench: Any, kind: str) -> None:
    init_cfg = dict(type='Constant', layer='Conv2d', val=0.25, bias=0.5)
    head = dict(type=kind, init_cfg=init_cfg)
    trial = bench('pixels', dual_head=DUAL | dict(head=head))
    layers = [m for m in trial.method.modules() if isinstance(m, nn.Conv2d)]
    assert layers
    for layer in layers:
        assert (layer.weight == 0.25).all()
        assert layer.bias is None or (layer.bias == 0.5).all()


@pytest.fixture
def method(tiny: Any) -> DualHead:
    """On features ``(N, 6, H, W)`` and logits ``(N, 4, H, W)``."""
    return tiny.distiller('pixels').methods['dual_head']


def test_ignored_pixels_have_no_influence(method: DualHead) -> None:
    feature, logits = torch.randn(2, 6, 5, 7), torch.randn(2, 4, 5, 7)
    labels = torch.randint(4, (2, 5, 7))
    labels[torch.rand(2, 5, 7) < 0.4] = 255
    ignored = (labels == 255)[:, None]
    targets = Targets(labels, ignore_index=255)
    feature.requires_grad_()

    def loss(student: Tensor, teacher: Tensor) -> Tensor:
        return method.loss({method.student_tap: student}, {OUTPUT: teacher}, targets)[
            'loss'
        ]

    before = loss(feature, logits)
    changed = [x.where(~ignored, 1e3 * torch.randn(1)) for x in (feature, logits)]
    gradient = torch.autograd.grad(before, feature)[0]

    assert loss(*changed).item() == before.item()
    assert (gradient[ignored.expand_as(gradient)] == 0).all()
    assert loss(feature, changed[0][:, :4]).item() != before.item()


def test_nothing_but_ignored_pixels(bench: Any) -> None:
    trial = bench('pixels', dual_head=DUAL)
    data = trial.data(ignored=1.0)

    losses = trial.distiller(**data, mode='loss')
    total, _ = trial.distiller.parse_losses(losses)
    total.backward()

    assert losses['distill.dual_head.loss'] == 0
    assert torch.isfinite(total)
    gradients = [p.grad for p in trial.distiller.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(('strides', 'size'), [((1, 1), 8), ((2, 2), 2)])
def test_teacher_map_is_resized_to_the_students(
    tiny: Any, strides: tuple[int, int], size: int
) -> None:
    config = tiny.segmentor(width=8)
    config['backbone']['strides'] = strides
    distiller = tiny.distiller(
        'pixels', dict(dual_head=DUAL), teacher=tiny.teacher(config)
    )
    data = distiller.data_preprocessor(tiny.batch('pixels', ignored=0), training=True)
    method = distiller.methods['dual_head']

    loss = distiller(**data, mode='loss')['distill.dual_head.loss']

    teacher = distiller.teacher(data['inputs'], [OUTPUT])[OUTPUT]
    with torch.no_grad(), capture(distiller, [method.student_tap]) as taps:
        distiller(data['inputs'])
    auxiliary = method.head(taps[method.student_tap])
    assert teacher.shape[2:] == (size, size)
    assert auxiliary.shape[2:] == (4, 4)
    labels = torch.cat([sample.gt_sem_seg.data for sample in data['data_samples']])
    mask = most(labels, (4, 4)) != 255
    expected = F.interpolate(teacher, (4, 4), mode='bilinear')
    manual = 0.5 * binary_kl_norm(rows(auxiliary, mask), rows(expected, mask))
    assert loss.item() == pytest.approx(manual, rel=1e-5)


def test_mixed_images_are_taught(tiny: Any) -> None:
    student = tiny.classifier()
    student['data_preprocessor'].update(
        num_classes=4, batch_augments=dict(augments=[dict(type='Mixup', alpha=1.0)])
    )
    distiller = tiny.distiller('images', student=student).train()
    np.random.seed(1)
    data = distiller.data_preprocessor(tiny.batch('images'), training=True)

    losses = distiller(**data, mode='loss')

    scores = torch.stack([sample.gt_score for sample in data['data_samples']])
    assert ((scores > 0).sum(1) == 2).any()
    with torch.no_grad():
        logits = distiller(data['inputs'])
    # The forward pass above has updated the statistics, which training does not use.
    expected = F.cross_entropy(logits, scores)
    torch.testing.assert_close(losses['loss'], expected)
    assert losses['distill.dual_head.loss'] > 0


def test_weights_and_class_counts_are_checked(tiny: Any) -> None:
    for name in ('weight', 'task_weight'):
        message = f'{name} of DualHead must be .* at least 0, got -1'
        message = rf'^methods\.dual_head: {message}'
        with pytest.raises(ValueError, match=message):
            tiny.distiller('images', dict(dual_head={'type': 'DualHead', name: -1}))
    teacher = tiny.teacher(tiny.classifier(classes=7))
    with pytest.raises(ValueError, match=r'student has 4 classes and the teacher 7'):
        tiny.distiller('images', teacher=teacher)
