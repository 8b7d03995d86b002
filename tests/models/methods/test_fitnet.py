from typing import Any

import pytest

FITNET = dict(type='FitNet', weight=3.0)


def test_is_the_mean_squared_error_of_the_regressed_map(bench: Any, task: str) -> None:
    trial = bench(task, fitnet=FITNET)
    data = trial.data()

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    regressor = trial.method.regressor.double()
    expected = (regressor(student, teacher.shape[2:]) - teacher).square().mean()
    assert loss.item() == pytest.approx(3 * expected.item(), rel=1e-5)


def test_gradients_reach_student_and_regressor(bench: Any, task: str) -> None:
    trial = bench(task, fitnet=FITNET)
    assert trial.check_gradients(trial.data()) == {'backbone'}


def test_trains(bench: Any, task: str) -> None:
    bench(task, fitnet=FITNET).check_steps()


def test_the_middle_stages_are_compared(bench: Any, task: str) -> None:
    method = bench(task, fitnet=dict(type='FitNet')).method
    assert method.student_tap.path == method.teacher_tap.path == 'backbone.layer2'
    assert method.weight == 100


def test_stages_by_number_and_name(bench: Any) -> None:
    settings = dict(stage=0, teacher_stage='backbone.layer2')
    method = bench('images', fitnet=FITNET | settings).method
    assert method.student_tap.path == 'backbone.layer1'
    assert method.teacher_tap.path == 'backbone.layer2'


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(stage=5), 'has no stage 5'),
        (dict(stage='backbone.layer9'), 'Nearest names: .*backbone.layer1'),
        (dict(stage='head.fc'), r"'head.fc' of \w*ImageClassifier outputs \(1, 4\)"),
        (dict(weight=-1), 'weight of FitNet must be finite and at least 0, got -1'),
    ],
)
def test_wrong_settings(bench: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bench('images', fitnet=FITNET | settings)
