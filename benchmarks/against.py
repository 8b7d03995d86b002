"""Rows against MMRazor, if it is installed somewhere."""

import json
from collections.abc import Iterator

from benchmarks.commands import run
from benchmarks.table import Row

IMPORTS = 'from mmkd.setup import setup; setup(); import mmrazor.models'


def rows(python: str, rounds: int) -> Iterator[Row]:
    """Measure MMRazor's own loop in another interpreter.

    Args:
        python: The interpreter; it needs MMRazor and mmkd's requirements.
        rounds: How often the forms take turns.

    Raises:
        ImportError: If MMRazor cannot be imported there; the message says why.
    """
    try:
        run(['-c', IMPORTS], python=python)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[-1]
        raise ImportError(
            f"--against {python}: MMRazor's loop is not measured: {reason}"
        ) from error
    printed = run(['-m', 'benchmarks.razor', '--rounds', str(rounds)], python=python)
    for values in json.loads(printed.splitlines()[-1]):
        yield Row(**values)
