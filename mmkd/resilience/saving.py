"""How MMEngine's checkpoint hook saves and removes, in a safer order."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.runner import Runner

from mmkd.resilience.files import PARTIAL, whole_or_nothing


class WholeSaver:
    """A runner whose checkpoints appear when they are whole.

    All else is the runner's own.

    Args:
        runner: The runner.
        last_whole: The last whole checkpoint, to be named when one fails.

    Attributes:
        saved: The paths of what was saved.
    """

    def __init__(self, runner: Runner, last_whole: str | None) -> None:
        self._runner = runner
        self._last_whole = last_whole
        self.saved: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, **kwargs: Any
    ) -> None:
        """Save a checkpoint; all processes must call it.

        Args:
            out_dir: Where to.
            filename: Under which name.
            args: More arguments of the runner's method.
            kwargs: More of them.

        Raises:
            OSError: If it cannot be written; nothing is left of it.
        """
        path = Path(out_dir, filename)
        self.saved.add(str(path))
        partial = nullcontext(path.with_name(path.name + PARTIAL))
        try:
            with whole_or_nothing(path) if is_main_process() else partial as place:
                self._runner.save_checkpoint(out_dir, place.name, *args, **kwargs)
                # Where the model is spread over processes, each writes a part.
                barrier()
        except OSError as error:
            raise OSError(
                error.errno,
                f'{error.strerror or error}. The training stops; its last whole '
                f'checkpoint is {self._last_whole or "none yet"}. What could not be '
                'written is',
                str(path),
            ) from error


class LateRemoval:
    """A file backend that only notes what is to be removed.

    All else is the backend's own.

    Args:
        backend: The backend.

    Attributes:
        paths: What was to be removed.
    """

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend
        self.paths: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Note a file or folder."""
        self.paths.add(path)

    rmtree = remove
