from itertools import pairwise
from typing import Any

import pytest

CC = dict(type='CC', channels=6, weight=0.5)


def test_multiplies_the_differences_of_neighbours(bench: Any) -> None:
    trial = bench('images', cc=CC)
    data = trial.data()

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    method = trial.method.double()
    difference = method.student_embedding(student) - method.teacher_embedding(teacher)
    rows = difference.abs()
    expected = sum((a * b).sum() for a, b in pairwise(rows))
    expected = 0.5 * expected / (len(rows) - 1)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_gradients_reach_student_and_both_embeddings(bench: Any) -> None:
    trial = bench('images', cc=CC)
    assert trial.check_gradients(trial.data()) == {'backbone'}
    assert trial.method.teacher_embedding.weight.grad.any()


def test_trains(bench: Any) -> None:
    bench('images', cc=CC).check_steps()


def test_features_of_a_stage_are_pooled(bench: Any) -> None:
    trial = bench('images', cc=CC | dict(stage=0, teacher_stage=1))
    assert trial.features(trial.data())[0].dim() == 4
    assert trial.loss(trial.data()).isfinite()


def test_width_of_the_embeddings_is_checked(bench: Any) -> None:
    with pytest.raises(ValueError, match='channels must be at least 1, got 0'):
        bench('images', cc=CC | dict(channels=0))


def test_has_no_meaning_per_pixel(bench: Any) -> None:
    with pytest.raises(ValueError, match=r'CC relates .* Use IFVD or SKD for pixels'):
        bench('pixels', cc=CC)
