from typing import Any

import pytest

from mmkd.models.methods.schedule import Schedule


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
def test_factor(settings: dict[str, Any], expected: list[float]) -> None:
    assert [Schedule(**settings).factor(step) for step in range(6)] == expected


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({}, 'always'),
        (dict(start=4, warmup=2, stop=9), 'from 4, warm-up 2, to 9'),
        (dict(stop=0), 'to 0'),
        (dict(warmup=20, by_epoch=True), 'warm-up 20 (epochs)'),
        (dict(stop=9, by_epoch=False), 'to 9 (iterations)'),
        (dict(by_epoch=True), 'always'),
    ],
)
def test_words(settings: dict[str, Any], words: str) -> None:
    assert str(Schedule(**settings)) == words


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(stop=-1), ValueError, 'stop .* got -1'),
        (dict(warmup=float('inf')), ValueError, 'warmup .* got inf'),
        (dict(start=float('nan')), ValueError, 'start .* got nan'),
        (dict(start='5'), TypeError, "start must be a number, got '5'"),
        (dict(warmup=True), TypeError, 'warmup must be a number, got True'),
        (dict(start=None), TypeError, 'start must be a number, got None'),
        (dict(by_epoch='no'), TypeError, "by_epoch must be .* got 'no'"),
        (dict(start=5, stop=4), ValueError, r'start \(5\), got 4'),
    ],
)
def test_bad_settings_are_named(
    tiny: Any, settings: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tiny.distiller('images', dict(kd=dict(type='LogitsKD', **settings)))
