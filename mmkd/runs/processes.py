"""Programs that this one starts, and that end with it."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_running: set[subprocess.Popen[bytes]] = set()


def environment_with(threads: int | None) -> dict[str, str]:
    """This program's environment variables for one with other threads.

    Args:
        threads: Number of PyTorch's threads; None does not change it.
    """
    own = {} if threads is None else {'OMP_NUM_THREADS': str(threads)}
    return {**os.environ, **own}


def call(command: Sequence[str], output: Any, environment: Mapping[str, str]) -> int:
    """Run a program that ends with this one.

    Args:
        command: The program and its arguments.
        output: The file for what it prints.
        environment: Its environment variables.

    Returns:
        Its exit code.
    """
    process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    _running.add(process)
    try:
        return process.wait()
    finally:
        _running.discard(process)


def end_all() -> None:
    """End the programs that run."""
    for process in list(_running):
        process.terminate()


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Turn SIGTERM into :exc:`SystemExit`, so that what runs is ended in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    former = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
