"""Downloads that leave whole files or nothing, and say what to do where they fail."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def downloading(url: str, files: Sequence[str], folder: Path) -> Iterator[str]:
    """Provide a place for a download until it is checked and moved to its own.

    A file that is in its own place counts as the user's, which no checksum is
    asked of; an interrupted or damaged download must never get there.

    Args:
        url: What is downloaded.
        files: The files that it yields and the data set needs.
        folder: Where they belong.

    Yields:
        A temporary folder on the same file system.

    Raises:
        FileNotFoundError: If anything fails.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix='.download-') as temporary:
            yield temporary
    except (OSError, RuntimeError) as error:
        raise FileNotFoundError(
            f'{url} cannot be downloaded ({error}). Fetch it where there is a '
            f'network and put {", ".join(files)} into {folder}, or set data_root '
            'to the folder that has the data'
        ) from error
