import gc
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from torch._tensor import _rebuild_from_type_v2

from mmkd.setup import setup

# First of all tests, so that they import mmseg and mmpretrain in any order.
setup()

# Their tensors are tiny; and OpenMP's threads do not survive the fork that some
# of them start trainings with.
torch.set_num_threads(1)

from mmkd.engine.hooks import CheckTeacherHook  # noqa: E402


def pytest_collection_finish() -> None:
    """Let the collector leave alone what the libraries and tests have made by now.

    MMEngine's data sets call it when they are built: it would look at all of that
    each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _fresh_engine() -> Iterator[None]:
    """Undo what a Runner leaves behind for the whole process."""
    yield
    for manager in (DefaultScope, Visualizer):
        for kind in (manager, *manager.__subclasses__()):
            kind._instance_dict.clear()


@pytest.fixture(autouse=True)
def _random_teachers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Teachers of tests know nothing: let them teach all the same."""
    if request.node.get_closest_marker('teacher_check') is None:
        monkeypatch.setattr(CheckTeacherHook, 'before_train', lambda *_: None)


class _Call:
    """Pickles as the result of calling ``function``."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.reduced = (function, args)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.reduced


def _escape(code: str) -> _Call:
    """Reach ``eval`` from a class that is allowed, if ``getattr`` is.

    ``_rebuild_from_type_v2``, which PyTorch always allows, calls whatever it
    is given, and ``getattr`` finds the builtins in any function's globals.
    """
    source = _Call(getattr, _Call(getattr, HistoryBuffer, '__init__'), '__globals__')
    for name in ('__builtins__', 'eval'):
        get = _Call(getattr, source, 'get')
        kind = _Call(getattr, source if name == '__builtins__' else get, '__class__')
        source = _Call(_rebuild_from_type_v2, get, kind, (name,), None)
    return _Call(_rebuild_from_type_v2, source, kind, (code,), None)


def _creating(marker: Path) -> str:
    return f'open({str(marker)!r}, "w").close()'


HOSTILE = {
    'os.system': lambda marker: _Call(os.system, f'touch {marker}'),
    'eval': lambda marker: _Call(eval, _creating(marker)),
    'open': lambda marker: _Call(io.open, str(marker), 'w'),
    'globals of a function': lambda marker: _escape(_creating(marker)),
}


class Hostile(NamedTuple):
    """A checkpoint that creates ``marker`` if reading it runs code."""

    path: Path
    marker: Path


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Hostile:
    path, marker = tmp_path / 'hostile.pth', tmp_path / 'marker'
    torch.save({'state_dict': {}, 'extra': HOSTILE[request.param](marker)}, path)
    return Hostile(path, marker)
