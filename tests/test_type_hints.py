from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional

import pytest
from torch import nn

from mmkd.type_hints import described, fits


@pytest.mark.parametrize(
    ('hint', 'right', 'wrong'),
    [
        (int, [1], [1.0, '1', True, None, [1]]),
        (float, [1, 0.5], ['0.5', False, None]),
        (bool, [True], [1, 'True', None]),
        (str, ['a'], [1, None, ['a']]),
        (int | str | None, [1, 'a', None], [0.5, True, []]),
        (Optional[float], [1, None], ['a']),  # noqa: UP045
        (Literal['a', 'b'], ['a'], ['c', 1]),
        (Sequence[int | str], [[1, 'a'], (1,), []], ['ab', 1, [None], {1: 2}]),
        (tuple[int, ...], [(1, 2), [1]], ['12', (0.5,)]),
        (tuple[int, float], [(1, 0.5), [1, 0.5]], [3]),
        (list, [[None], ('a',)], ['a', {}]),
        (Mapping[str, int], [{}, {'a': None}], ['a', []]),
        (dict[str, Any] | None, [{}, None], ['a', 0]),
        (Any, [None, 1, 'a', nn.Module], []),
        (nn.Module, [1, None, 'a'], []),
    ],
)
def test_values_and_hints(hint: Any, right: list[Any], wrong: list[Any]) -> None:
    assert all(fits(value, hint) for value in right)
    assert not any(fits(value, hint) for value in wrong)


def test_hints_in_words() -> None:
    assert described(float | None) == 'a number or None'
    assert described(Sequence[str]) == 'a list, each a string'
    assert described(Literal['a', 1]) == "one of 'a', 1"
    assert described(dict[str, Any]) == 'a dict'
