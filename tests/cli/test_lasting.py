"""Lasting objects are exempt from collection, and nothing else changes."""

import gc
import runpy
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmkd.cli.lasting import lasting


class Ring:
    """An object that reference counting alone does not free."""

    def __init__(self) -> None:
        self.ring = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_the_collector_does_not_look_at_what_was_made_inside() -> None:
    with lasting():
        assert not gc.isenabled()
        made = Ring()
    assert gc.isenabled()
    assert all(known is not made for known in gc.get_objects())


def test_what_is_made_later_is_collected() -> None:
    with lasting():
        pass
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None


def test_an_error_leaves_the_collector_at_work() -> None:
    with pytest.raises(ValueError, match='no config'), lasting():
        raise ValueError('no config')
    assert gc.isenabled()


def test_a_program_that_stops_it_for_its_imports_starts_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, 'argv', ['train.py', '--help'])
    program = Path(__file__).parents[2] / 'tools/train.py'
    runpy.run_path(str(program), run_name='__main__')
    assert gc.isenabled()
