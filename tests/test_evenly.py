"""Evenly spaced selection."""

import pytest

from mmkd.evenly import evenly


@pytest.mark.parametrize(
    ('total', 'count', 'expected'),
    [
        (101, 5, [0, 25, 50, 75, 100]),
        (10, 4, [0, 3, 6, 9]),
        (3, 8, [0, 1, 2]),
        (7, 1, [0]),
        (0, 4, []),
    ],
)
def test_numbers_reach_from_end_to_end(
    total: int, count: int, expected: list[int]
) -> None:
    assert evenly(total, count) == expected
