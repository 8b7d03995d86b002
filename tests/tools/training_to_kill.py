"""tools/train.py with a slow disk, which notes every iteration."""

import runpy
import sys
import time
from pathlib import Path

from mmengine.dist import master_only
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd.registry import HOOKS

TRAIN = Path(__file__).parents[2] / 'tools' / 'train.py'
PIECES = 20


@HOOKS.register_module(force=True)
class NoteHook(Hook):
    """Append each iteration to a file as soon as its step is done."""

    priority = 'HIGHEST'

    def before_train(self, runner: Runner) -> None:
        _note(runner, 'start')

    def after_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        _note(runner, str(runner.iter + 1))
        time.sleep(0.01)


@master_only
def _note(runner: Runner, what: str) -> None:
    with open(Path(runner.work_dir, 'iterations'), 'a') as file:
        file.write(f'{what}\n')


def put_slowly(self: LocalBackend, content: bytes, path: str) -> None:
    """Write in pieces, so that a kill leaves a half-written file."""
    size = len(content) // PIECES + 1
    with open(path, 'wb') as file:
        for start in range(0, len(content), size):
            file.write(content[start : start + size])
            file.flush()
            time.sleep(0.005)


def main(arguments: list[str]) -> None:
    LocalBackend.put = put_slowly
    sys.argv = ['train.py', *arguments]
    runpy.run_path(str(TRAIN), run_name='__main__')


if __name__ == '__main__':
    main(sys.argv[1:])
