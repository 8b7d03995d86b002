from collections.abc import Callable, Sequence
from typing import Any

import pytest
from torch import nn

from mmkd.arguments import arguments, check_arguments


class Base:
    def __init__(self, depth: int, name: str | None = None) -> None:
        self.depth, self.name = depth, name


class HandsOn(Base):
    def __init__(self, rate: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate


class Looks(HandsOn):
    """Removes a setting before it passes the rest on."""

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
