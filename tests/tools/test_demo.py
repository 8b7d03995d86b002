"""How many seeds the demo trains."""

import runpy

import pytest
from in_process import TOOLS


@pytest.mark.parametrize(
    ('minutes', 'jobs', 'more'),
    [
        *((-1, 2, 0), (2.9, 2, 0), (3.1, 2, 1), (5.9, 2, 1), (6.1, 2, 2), (60, 2, 2)),
        *((5.9, 1, 0), (6.1, 1, 1)),
    ],
)
def test_seeds_fit_in_what_is_left_of_the_time(
    minutes: float, jobs: int, more: int
) -> None:
    """The four trainings of the first seed take six minutes, three in pairs."""
    further_seeds = runpy.run_path(str(TOOLS / 'demo.py'))['further_seeds']
    lines = [
        dict(method=method, seed=seed, minutes=1.5 * (seed + 1))
        for seed in range(2)
        for method in ['none', 'kd', 'dhkd', 'mhkd']
    ]
    lines.append(dict(method='teacher', seed=0, minutes=2.0))
    assert further_seeds(lines, minutes, jobs) == more
