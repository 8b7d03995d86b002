import pytest

from benchmarks.rounds import LEAST, in_turns


def test_forms_take_turns_in_both_orders() -> None:
    called = []
    forms = {name: lambda name=name: called.append(name) or 1.0 for name in 'ab'}
    times = in_turns(forms, rounds=3, warm_up=1)
    assert ''.join(called) == 'abbaabba'
    assert times == [dict(a=1.0, b=1.0)] * 3


@pytest.mark.parametrize(
    ('seconds', 'expected'), [(0, LEAST), (0.65, 5), (100, 7)], ids=str
)
def test_a_slow_machine_takes_fewer_rounds(
    seconds: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def form() -> float:
        nonlocal now
        now += 1
        return 1.0

    monkeypatch.setattr('time.monotonic', lambda: now)
    times = in_turns({'a': form}, rounds=7, warm_up=0, seconds=seconds)
    assert times == [dict(a=1.0)] * expected
