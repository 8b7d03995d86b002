"""Checkpoints behind an address."""

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
    """Download a checkpoint, once, and read it as :func:`safe_load` does.

    PyTorch's own function unpacks archives into the folder of all downloads,
    where one could take the place of another's.

    Args:
        url: Where it is.
        model_dir: Where it is to lie; None is PyTorch's folder.
        map_location: As in ``torch.load``.
        progress: Whether to show how far the download is.

    Returns:
        What was saved.

    Raises:
        CheckpointError: As in :func:`safe_load`.
        OSError: If the address cannot be reached; the message says where to
            put the file by hand.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
    place = folder / PurePosixPath(urlparse(url).path).name
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(place), progress=progress)
        except (URLError, ConnectionError, TimeoutError) as error:
            raise OSError(
                f'{url} cannot be reached: {error}. Where there is no network, '
                f'download it elsewhere and put it at {place}'
            ) from error
    try:
        return safe_load(place, map_location)
    except CheckpointError as error:
        raise CheckpointError(f'{url}: {error}') from None
