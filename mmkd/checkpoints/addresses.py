"""Checkpoints at a URL."""

from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse

import torch

from mmkd.checkpoints.loading import CheckpointError, safe_load


def safe_load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = 'cpu',
    progress: bool = True,
) -> Any:
    """Download a checkpoint once and read it with :func:`safe_load`.

    PyTorch's own function unpacks archives into the shared download folder,
    where one could overwrite the files of another.

    Args:
        url: Its URL.
        model_dir: The folder to save it in; None for PyTorch's.
        map_location: As in ``torch.load``.
        progress: Whether to show a progress bar.

    Returns:
        The saved object.

    Raises:
        CheckpointError: As in :func:`safe_load`.
        OSError: If the URL cannot be reached; the message says where to put
            the file by hand.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
    place = folder / PurePosixPath(urlparse(url).path).name
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(place), progress=progress)
        except (URLError, ConnectionError, TimeoutError) as error:
            raise OSError(
                f'{url} cannot be reached: {error}. Without a network connection, '
                f'download it elsewhere and save it as {place}'
            ) from error
    try:
        return safe_load(place, map_location)
    except CheckpointError as error:
        raise CheckpointError(f'{url}: {error}') from None
