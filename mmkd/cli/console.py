"""What people see of a command, whose log file has all there is."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

FOR_THE_FILE = {
    ('runner.py', '_log_env'),
    ('runner.py', '__init__'),
    ('runner.py', 'wrap_model'),
    ('_flexible_runner.py', '_log_env'),
    ('_flexible_runner.py', '__init__'),
}
"""Where MMEngine logs the environment, the whole config, the list of its hooks, and
that one process needs no SyncBatchNorm."""

NOTHING_TO_DO = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'The prefix is not set in metric class',
)
"""How warnings begin that are meant for the authors of libraries."""

WARNINGS = 'py.warnings'
"""The logger that Python's warnings come to."""


@contextmanager
def console() -> Iterator[None]:
    """Show people what is for them; the log file has the rest.

    The environment, the config and the list of hooks do not appear, nor do warnings of
    libraries, most of which come at the start and from code that no user of a command
    calls: they are held until there is a log file. What mmkd has to say to its users it
    logs or raises.
    """
    logger = logging.getLogger(WARNINGS)
    held = MemoryHandler(1000, flushLevel=logging.CRITICAL)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(held)
    logging.captureWarnings(True)
    make = MMLogger.__init__

    def made(self: MMLogger, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        _quieten(self, held)

    # A runner logs the environment as soon as it has made its logger.
    MMLogger.__init__ = made
    try:
        yield
    finally:
        MMLogger.__init__ = make
        logging.captureWarnings(False)
        logger.removeHandler(held)
        logger.propagate = propagate


@contextmanager
def ending_in_words(*errors: type[Exception]) -> Iterator[None]:
    """Let a command whose input is wrong end in a line that says so.

    Args:
        errors: What tells of wrong input beside ``OSError`` and ``ValueError``.
    """
    name = Path(sys.argv[0]).name
    wrong: tuple[type[Exception], ...] = (OSError, ValueError, *errors)
    try:
        with console():
            yield
    except wrong as error:
        sys.exit(f'{name}: {error}')


def _quieten(logger: MMLogger, held: MemoryHandler) -> None:
    files = [h for h in logger.handlers if isinstance(h, logging.FileHandler)]
    if not files:
        return
    for handler in console_handlers(logger):
        handler.addFilter(is_for_people)
    held.setTarget(files[0])
    held.capacity = 1
    held.flush()
    where = Path(files[0].baseFilename)
    logger.info(f'Settings, environment and warnings of libraries: {where}')


def console_handlers(logger: MMLogger) -> list[logging.StreamHandler]:
    """The handlers that write to the console.

    Args:
        logger: MMEngine's.
    """
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
    ]


def is_for_people(record: logging.LogRecord) -> bool:
    """Whether something logged is to be seen in the console too.

    Args:
        record: What was logged.
    """
    if record.levelno >= logging.ERROR:
        return True
    if (Path(record.pathname).name, record.funcName) in FOR_THE_FILE:
        return False
    return not str(record.msg).startswith(NOTHING_TO_DO)
