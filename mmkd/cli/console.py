"""Console output of the commands; the log file has the complete output."""

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
"""Where MMEngine logs the environment, the whole config, the list of hooks, and that
a single process does not need SyncBatchNorm."""

NOTHING_TO_DO = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'The prefix is not set in metric class',
)
"""Beginnings of warnings that are meant for library authors."""

WARNINGS = 'py.warnings'
"""The logger that receives Python's warnings."""


@contextmanager
def console() -> Iterator[None]:
    """Show only what matters to users; the log file has the rest.

    The environment, the config and the list of hooks are hidden, and so are Python
    warnings, most of which libraries issue at the start about code that users do not
    call: they are buffered until there is a log file. Messages of mmkd to its users are
    logged or raised.
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
def ending_in_words(*errors: type[Exception], resume: str = '') -> Iterator[None]:
    """Exit with a one-line message if the input of a command is wrong, or at Ctrl-C.

    Args:
        errors: Exceptions for wrong input besides ``OSError`` and ``ValueError``.
        resume: How an interrupted command goes on, as a sentence.
    """
    name = Path(sys.argv[0]).name
    wrong: tuple[type[Exception], ...] = (OSError, ValueError, *errors)
    try:
        with console():
            yield
    except wrong as error:
        sys.exit(f'{name}: {error}')
    except KeyboardInterrupt:
        print(f'{name}: interrupted. {resume}'.rstrip(), file=sys.stderr)
        raise SystemExit(130) from None


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
    logger.info(f'Config, environment and library warnings: {where}')


def console_handlers(logger: MMLogger) -> list[logging.StreamHandler]:
    """The handlers that write to the console.

    Args:
        logger: MMEngine's logger.
    """
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
    ]


def is_for_people(record: logging.LogRecord) -> bool:
    """Whether a log record is also shown in the console.

    Args:
        record: The log record.
    """
    if record.levelno >= logging.ERROR:
        return True
    if (Path(record.pathname).name, record.funcName) in FOR_THE_FILE:
        return False
    return not str(record.msg).startswith(NOTHING_TO_DO)
