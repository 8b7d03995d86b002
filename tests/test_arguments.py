from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Optional

import pytest
from torch import nn

from mmkd.arguments import arguments, check_arguments, described, fits


class Base:
    def __init__(self, depth: int, name: str | None = None) -> None:
        self.depth, self.name = depth, name


class HandsOn(Base):
    def __init__(self, rate: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate


class Looks(HandsOn):
    """Takes a setting out of what it hands on."""

    def __init__(self, **kwargs: Any) -> None:
        self.extra = kwargs.pop('extra', 1)
        super().__init__(**kwargs)


class Keeps:
    def __init__(self, **kwargs: Any) -> None:
        self.kept = kwargs


class Mostly(Base):
    def __init__(self, depth: int, **kwargs: Any) -> None:
        self.kept = depth, kwargs


class Module(nn.Module):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


def function(pools: Sequence[int], *, exact: bool = False) -> None: ...


@pytest.mark.parametrize(
    ('kind', 'names', 'takes_any'),
    [
        (Base, {'depth', 'name'}, False),
        (HandsOn, {'depth', 'name', 'rate'}, False),
        (Looks, {'depth', 'name', 'rate'}, True),
        (Mostly, {'depth', 'name'}, True),
        (Keeps, set(), True),
        (Module, set(), True),
        (function, {'pools', 'exact'}, False),
    ],
)
def test_what_a_class_takes(
    kind: Callable[..., Any], names: set[str], takes_any: bool
) -> None:
    known, more = arguments(kind)
    assert set(known) == names
    assert more == takes_any


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
        (Any, [None, 1, 'a', Base], []),
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


def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_arguments('here', HandsOn, dict(depth=1, rate=[1]), given=[])
    with pytest.raises(TypeError, match="rate must be a number, got 'high'"):
        check_arguments('here', HandsOn, dict(rate='high'))
    monkeypatch.setattr('mmkd.arguments.TRUSTED', __name__)
    with pytest.raises(ValueError, match=r"^here: HandsOn .*'rat'\. .*'rate'\? Known"):
        check_arguments('here', HandsOn, dict(rat=1))
    with pytest.raises(TypeError, match=r"^here: rate must be a number, got 'high'"):
        check_arguments('here', HandsOn, dict(rate='high'))
    with pytest.raises(ValueError, match="no setting 'depth'"):
        check_arguments('here', HandsOn, dict(depth=1), given=['depth'])
    check_arguments('here', HandsOn, dict(name=None, priority=1), besides=['priority'])
    check_arguments('here', Keeps, dict(anything=1))
    with pytest.raises(ValueError, match=r"'dept'.*'depth'"):
        check_arguments('here', Mostly, dict(dept=1))
    check_arguments('here', Mostly, dict(depth=1, anything=1))
