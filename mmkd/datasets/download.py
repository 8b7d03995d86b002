"""Downloads that leave complete files or nothing, with advice when they fail."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def downloading(url: str, files: Sequence[str], folder: Path) -> Iterator[str]:
    """Provide a temporary folder for a download until it is checked and moved.

    A file in its final place counts as the user's own, whose checksum is not
    verified; an interrupted or damaged download must never get there.

    Args:
        url: What is downloaded.
        files: The files from it that the data set needs.
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
            f'{url} cannot be downloaded ({error}). Download it on a machine with '
            f'a network and put {", ".join(files)} into {folder}, or set data_root '
            'to the folder that contains the data'
        ) from error
