"""Programs of tools/ without the seconds that a process of their own takes."""

import runpy
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer

from mmkd.runs import training, trainings

TOOLS = Path(__file__).parents[2] / 'tools'


def run_program(program: Path, *arguments: str) -> None:
    """Run a program as a process of its own would, in this one.

    Args:
        program: A Python file.
        arguments: What follows it on the command line.
    """
    # These end with a process, and are named by the second that it begins in.
    for kind in (MessageHub, MMLogger, Visualizer, *Visualizer.__subclasses__()):
        kind._instance_dict.clear()
    with patch.object(sys, 'argv', [str(program), *arguments]):
        runpy.run_path(str(program), run_name='__main__')


@pytest.fixture
def run_tool(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., None]:
    """Run a script of tools/ in this process, as its command line would."""

    def run(script: str, *arguments: object) -> None:
        run_program(TOOLS / script, *map(str, arguments))

    monkeypatch.delenv('LOCAL_RANK', raising=False)
    monkeypatch.chdir(tmp_path)
    return run


class Here(ThreadPoolExecutor):
    """Calls at once, in this thread.

    Python 3.11 may fail to parse source in two threads at a time, which comparison and
    training do.
    """

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainings start without the seconds that a process takes."""
    ran: list[str] = []

    def call(command: Sequence[str], output: Any, environment: Any) -> int:
        ran.append(command[2])
        run_program(Path(command[1]), *command[2:])
        return 0

    monkeypatch.setattr(training, 'call', call)
    monkeypatch.setattr(trainings, 'ThreadPoolExecutor', Here)
    return ran
