from typing import Any

import pytest
import torch
from label_maps import most
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

ALPHA, TAU = 0.7, 3.0
KD = dict(
    type='LogitsKD',
    weight=ALPHA,
    task_weight=1 - ALPHA,
    loss=dict(type='KLDivergenceLoss', tau=TAU),
)


def softened_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over rows, from the definition."""
    p, q = ((logits / TAU).softmax(1) for logits in (teacher, student))
    return TAU**2 * (p * (p / q).log()).sum(1).mean()


def test_images_by_hand(bench: Any) -> None:
    trial = bench('images', kd=KD)
    data = trial.data()

    total, log = trial.distiller.parse_losses(trial.distiller(**data, mode='loss'))

    student, teacher = trial.features(data)
    labels = trial.targets(data).labels
    kl = softened_kl(student, teacher)
    entropy = F.cross_entropy(student, labels)
    expected = (1 - ALPHA) * entropy + ALPHA * kl
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert log['distill.kd.loss'].item() == pytest.approx(ALPHA * kl.item(), rel=1e-5)
    assert log['task_loss'].item() == pytest.approx(entropy.item(), rel=1e-5)


def test_pixels_by_hand(bench: Any) -> None:
    trial = bench('pixels', kd=KD)
    data = trial.data()

    total, log = trial.distiller.parse_losses(trial.distiller(**data, mode='loss'))

    student, teacher = trial.features(data)
    labels = trial.targets(data).labels
    large = F.interpolate(student, labels.shape[1:], mode='bilinear')
    entropy = F.cross_entropy(large, labels, ignore_index=255, reduction='sum')
    # MMSegmentation divides by the number of all pixels, ignored ones too.
    entropy = entropy / labels.numel()
    mask = most(labels, student.shape[2:]) != 255
    teacher = F.interpolate(teacher, student.shape[2:], mode='bilinear')
    kl = softened_kl(*(x.movedim(1, -1)[mask] for x in (student, teacher)))
    auxiliary = log['aux.loss_ce'].item()
    assert log['decode.loss_ce'].item() == pytest.approx(entropy.item(), rel=1e-5)
    own = entropy.item() + auxiliary
    expected = (1 - ALPHA) * own + ALPHA * kl.item()
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_gradients_reach_the_whole_student(bench: Any, task: str) -> None:
    trial = bench(task, kd=KD)

    reached = trial.check_gradients(trial.data())

    head = 'head' if task == 'images' else 'decode_head'
    assert reached == {'backbone', head}


def test_class_counts_must_agree(tiny: Any) -> None:
    teacher = tiny.teacher(tiny.classifier(classes=7))

    with pytest.raises(
        ValueError, match=r'LogitsKD compares class predictions, but the student'
    ):
        tiny.distiller('images', dict(kd=KD), teacher=teacher)


def test_steps_train_the_student(bench: Any, task: str) -> None:
    bench(task, kd=KD).check_steps()


def test_perfect_student_has_nothing_to_learn(tiny: Any) -> None:
    config = tiny.classifier()
    settings = tiny.teacher(config) | dict(fold=False)
    distiller = tiny.distiller(
        'images', dict(kd=KD), student=config, teacher=settings
    ).eval()
    distiller.load_state_dict(distiller.teacher.model.state_dict(), strict=True)
    data = distiller.data_preprocessor(tiny.batch('images'), training=True)

    loss = distiller(**data, mode='loss')['distill.kd.loss']

    torch.testing.assert_close(loss, torch.tensor(0.0), atol=1e-6, rtol=0)
