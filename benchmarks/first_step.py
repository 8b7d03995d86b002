"""Runs a script up to its first training step: ``first_step.py SCRIPT ARGS...``.

Prints the CPU time that the process has used until then, in seconds, and exits.
"""

import os
import runpy
import sys
import time
from typing import NoReturn

from mmengine.model import BaseModel


def stop(*_: object, **__: object) -> NoReturn:
    """Replace the first step."""
    print(f'\n{time.process_time()}', flush=True)
    os._exit(0)


if __name__ == '__main__':
    BaseModel.train_step = stop
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name='__main__')
