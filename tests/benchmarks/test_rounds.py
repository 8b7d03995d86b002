from benchmarks.rounds import in_turns


def test_forms_take_turns_in_both_orders() -> None:
    called = []
    forms = {name: lambda name=name: called.append(name) or 1.0 for name in 'ab'}
    times = in_turns(forms, rounds=3, warm_up=1)
    assert ''.join(called) == 'abbaabba'
    assert times == [dict(a=1.0, b=1.0)] * 3
