from itertools import count

import pytest

from mmkd.deploy.latency import FEWEST, IN_A_ROW, Latency, latencies


def test_all_take_turns_and_the_first_call_does_not_count() -> None:
    called: list[str] = []
    ticks = count(step=0.5)
    calls = [lambda: called.append('a'), lambda: called.append('b')]
    found = latencies(calls, 0, lambda: next(ticks), lambda: 0.25 * len(called))
    for times in found:
        assert times.clock == [500.0] * (FEWEST * IN_A_ROW)
        assert times.processor == [250.0] * (FEWEST * IN_A_ROW)
    turn = 1 + IN_A_ROW
    rounds = ['a'] * turn + ['b'] * 2 * turn + ['a'] * turn
    assert called == rounds * (FEWEST // 2)


def test_rounds_go_on_until_the_time_is_over() -> None:
    ticks = count()
    [found] = latencies([lambda: None], 1000, lambda: next(ticks), lambda: 0.0)
    # Two ticks per call, and one per check of whether time is over.
    assert len(found.clock) == pytest.approx(1000 / 2, abs=2 * 2 * IN_A_ROW + 50)


def test_what_is_told_of_many_calls() -> None:
    found = Latency([1.0] * 90 + [5.0] * 10, [2.0] * 100)
    assert (found.median, found.slow, found.of_processor) == (1.0, 5.0, 2.0)
