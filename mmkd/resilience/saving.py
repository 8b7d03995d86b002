"""Makes MMEngine's checkpoint hook save and remove in a safe order."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.runner import Runner

from mmkd.resilience.files import PARTIAL, whole_or_nothing


class WholeSaver:
    """A runner that saves checkpoints atomically.

    Everything else is the runner's own.

    Args:
        runner: The runner.
        last_whole: The last complete checkpoint, named in the error if saving fails.

    Attributes:
        saved: The paths of saved checkpoints.
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
            out_dir: The folder.
            filename: The name of the file.
            args: More arguments of the runner's method.
            kwargs: Keyword arguments of the runner's method.

        Raises:
            OSError: If it cannot be written; nothing is left of it.
        """
        path = Path(out_dir, filename)
        self.saved.add(str(path))
        partial = nullcontext(path.with_name(path.name + PARTIAL))
        try:
            with whole_or_nothing(path) if is_main_process() else partial as place:
                self._runner.save_checkpoint(out_dir, place.name, *args, **kwargs)
                # If the model is sharded over processes, each writes a part.
                barrier()
        except OSError as error:
            raise OSError(
                error.errno,
                f'{error.strerror or error}. The training stops; its last complete '
                f'checkpoint is {self._last_whole or "none yet"}. Failed to write',
                str(path),
            ) from error


class LateRemoval:
    """A file backend that only notes what to remove.

    Everything else is the backend's own.

    Args:
        backend: The backend.

    Attributes:
        paths: Paths to remove.
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
