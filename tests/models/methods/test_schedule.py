from typing import Any

import pytest

from mmkd.models.methods import Schedule


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        (dict(stop=2), [1, 1, 0, 0, 0, 0]),
        (dict(start=4), [0, 0, 0, 0, 1, 1]),
        # The published code counts epochs from 1: epoch / warmup, at most 1.
        (dict(warmup=4), [0.25, 0.5, 0.75, 1, 1, 1]),
        (dict(start=1, warmup=2, stop=4), [0, 0.5, 1, 1, 0, 0]),
        (dict(stop=None), [1, 1, 1, 1, 1, 1]),
        (dict(stop=0), [0, 0, 0, 0, 0, 0]),
    ],
)
def test_factor(settings: dict, expected: list[float]) -> None:
    assert [Schedule(**settings).factor(step) for step in range(6)] == expected


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(stop=-1), ValueError, r'stop .* got -1'),
        (dict(warmup=float('inf')), ValueError, r'warmup .* got inf'),
        (dict(start=float('nan')), ValueError, r'start .* got nan'),
        (dict(start='5'), TypeError, r"start must be a number, got '5'"),
        (dict(warmup=True), TypeError, r'warmup must be a number, got True'),
        (dict(start=None), TypeError, r'start must be a number, got None'),
        (dict(start=5, stop=4), ValueError, r'start \(5\), got 4'),
    ],
)
def test_bad_settings_are_named(
    settings: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Schedule(**settings)


def test_in_words() -> None:
    assert str(Schedule()) == 'always'
    assert str(Schedule(start=1, warmup=2, stop=9)) == 'from 1, warm-up 2, to 9'
