import pytest

from mmkd.compare.ranges import read_ranges, settings_to_try, stretched

RATES = ['0.05', '0.1', '0.2']
OWN = {'none': [], 'kd': [], 'dhkd': ['dual_head.weight']}


def test_ranges_are_read_as_they_stand() -> None:
    words = ['optim_wrapper.optimizer.lr=0.05,0.1', 'dual_head.head.type=A,B']
    assert read_ranges(words) == {
        'optim_wrapper.optimizer.lr': ['0.05', '0.1'],
        'dual_head.head.type': ['A', 'B'],
    }


def test_values_may_be_lists() -> None:
    read = read_ranges(['multi_head.stages=[0],[0,1],[2]', 'a.b=[[0,1],(2,3)],x'])
    assert read == {
        'multi_head.stages': ['[0]', '[0,1]', '[2]'],
        'a.b': ['[[0,1],(2,3)]', 'x'],
    }


@pytest.mark.parametrize(
    'word', ['lr', 'lr=', 'lr=1', '=1,2', 'lr=1,1', 'a.b=[0,1]', 'a.b=[0,1']
)
def test_what_is_no_range_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match='two or more different values'):
        read_ranges([word])


def test_a_key_is_named_once() -> None:
    with pytest.raises(ValueError, match='--tune names lr twice'):
        read_ranges(['lr=0.1,0.2', 'kd.weight=1,2', 'lr=0.3,0.4'])


def test_all_try_equally_many_over_the_same_range() -> None:
    ranges = {'lr': RATES, 'dual_head.weight': ['0.1', '1']}
    tried = settings_to_try(OWN, ranges)
    assert {method: len(each) for method, each in tried.items()} == dict(
        none=6, kd=6, dhkd=6
    )
    assert [each['lr'] for each in tried['none']] == [
        *('0.05', '0.066', '0.0871', '0.115', '0.152', '0.2')
    ]
    assert tried['kd'] == tried['none']
    assert [(each['lr'], each['dual_head.weight']) for each in tried['dhkd']] == [
        (rate, weight) for rate in RATES for weight in ('0.1', '1')
    ]


def test_the_student_alone_must_have_a_choice_too() -> None:
    with pytest.raises(ValueError, match=r'nothing to choose from\. Add a'):
        settings_to_try(OWN, {'dual_head.weight': ['0.1', '1']})


def test_numbers_that_do_not_divide_are_refused() -> None:
    own = {**OWN, 'kd': ['kd.weight']}
    ranges = {
        'lr': RATES,
        'dual_head.weight': ['0.1', '1'],
        'kd.weight': ['1', '2', '3'],
    }
    with pytest.raises(ValueError, match=r'dhkd has 2 settings .* another method 3'):
        settings_to_try(own, ranges)


@pytest.mark.parametrize('values', [['a', 'b'], ['0', '1'], ['-1', '1'], ['4', '8']])
def test_only_numbers_above_0_are_stretched(values: list[str]) -> None:
    assert stretched('lr', values, 2) == values
    with pytest.raises(ValueError, match='must be numbers above 0'):
        stretched('lr', values, 4)


def test_the_ends_of_a_range_stay_as_they_are_written() -> None:
    assert stretched('lr', ['1e-3', '0.10', '1'], 4) == ['1e-3', '0.01', '0.1', '1']
