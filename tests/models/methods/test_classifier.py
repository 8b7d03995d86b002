from typing import Any

import pytest


def test_kd_may_leave_the_task_loss_its_weight(bench: Any) -> None:
    method = bench('images', kd=dict(type='LogitsKD', alpha=1, task_weight=1)).method
    assert (method.weight, method.task_weight) == (1, 1)


def test_kd_shares_the_loss_unless_told_otherwise(bench: Any) -> None:
    method = bench('images', kd=dict(type='LogitsKD', alpha=0.7)).method
    assert method.weight == 0.7
    assert method.task_weight == pytest.approx(0.3)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(alpha=1.1), 'alpha must be between 0 and 1, got 1.1'),
        (dict(task_weight=-1), 'task_weight must be at least 0, got -1'),
    ],
)
def test_wrong_weights(bench: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bench('images', kd=dict(type='LogitsKD') | settings)
