"""Logged values, per validation."""

from pathlib import Path

import pytest

from mmkd.analysis.curves import by_validation
from mmkd.runs import Curve, Run, Scalars


def run_of(unit: str, train: dict[str, Curve], val: dict[str, Curve]) -> Run:
    settings = dict(train_cfg={f'max_{unit}': 2})
    return Run(Path('run'), settings, Scalars(train, val), ())


def test_what_is_logged_in_an_epoch_is_averaged() -> None:
    train = dict(
        epoch={10: 1, 20: 1, 30: 2, 50: 3}, grad_cos={10: 0.2, 20: 0.4, 30: -1, 50: 1}
    )
    found = by_validation(run_of('epochs', train, dict(loss={1: 3.0, 2: 2.0})))
    assert found['loss'] == {1: 3.0, 2: 2.0}
    assert found['train/grad_cos'] == pytest.approx({1: 0.3, 2: -1.0})


def test_iterations_belong_to_the_validation_that_follows() -> None:
    train = dict(grad_cos={50: 0.5, 100: 0.7, 150: 0.1, 160: 3.0})
    found = by_validation(run_of('iters', train, dict(mIoU={100: 9.0, 150: 11.0})))
    assert found['train/grad_cos'] == pytest.approx({100: 0.6, 150: 0.1})


def test_no_validation() -> None:
    with pytest.raises(ValueError, match='no log of a validation'):
        by_validation(run_of('epochs', dict(loss={1: 1.0}), {}))
