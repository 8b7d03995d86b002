"""CIFAR-100, original or not, from local pickles."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine import dist
from mmpretrain.datasets import cifar
from mmpretrain.datasets.categories import CIFAR100_CATEGORIES
from mmpretrain.datasets.utils import download_and_extract_archive

from mmkd.checkpoints.plain_pickle import load_plain_pickle
from mmkd.datasets.download import downloading
from mmkd.datasets.images import data_list_of
from mmkd.datasets.in_memory import InMemory
from mmkd.registry import DATASETS


@DATASETS.register_module()
class CIFAR100(InMemory, cifar.CIFAR100):
    """CIFAR-100, or other 32x32 images in its file format.

    MMPretrain's data set of the same name reads only the original archive.
    Here a checksum protects the download, and files that are already in
    ``data_root/cifar-100-python`` count as the user's own: they are read as
    they are, with any number of images and classes. Because unpickling can run
    code, they are read by an unpickler that allows NumPy arrays and plain
    values and refuses everything else.

    The folder holds ``train`` and ``test``, pickled dicts of ``data``, uint8
    ``(N, 3072)`` in the order channel, row, column, and ``fine_labels``, N
    integers; and, optionally, ``meta``, a pickled dict of ``fine_label_names``.
    Without it the classes have CIFAR-100's names.

    Args:
        data_root: The folder that holds ``cifar-100-python``.
        split: ``'train'`` or ``'test'``.
        download: Whether to download the original if that folder does not exist.
        in_memory: See :class:`InMemory`.
        **kwargs: See MMPretrain's ``CIFAR100``.

    Raises:
        FileNotFoundError: If the files are missing and not downloaded.
        ValueError: If a file has the wrong format.
    """

    # Names from the user's own files come first.
    METAINFO: ClassVar[dict[str, Any]] = {}

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the images and labels of the split."""
        folder = Path(self.data_prefix['root'], self.base_folder)
        file = folder / self.split
        if dist.is_main_process() and not file.exists():
            self._provide(folder)
        dist.barrier()
        content = self._read(file, 'data', 'fine_labels')
        pixels = np.asarray(content['data'])
        if pixels.ndim != 2 or pixels.shape[1] != 3 * 32 * 32:
            raise ValueError(
                f"{file}: 'data' must be of shape (N, 3072), got {pixels.shape}"
            )
        images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        labels = np.asarray(content['fine_labels'])
        if self.CLASSES is None:
            self._metainfo['classes'] = self._class_names(folder / 'meta')
        return data_list_of(images, labels, len(self.CLASSES), str(file))

    def _provide(self, folder: Path) -> None:
        files = ('train', 'test', 'meta')
        if folder.exists():
            # Extracting the archive would replace the user's other files.
            raise FileNotFoundError(
                f'{folder} does not contain {self.split!r}. Add it, or remove the '
                'folder to download the original CIFAR-100'
            )
        if not self.download:
            raise FileNotFoundError(
                f'{folder} does not exist. Put {", ".join(files)} there, or '
                'set download=True'
            )
        with downloading(self.url, files, folder) as temporary:
            download_and_extract_archive(
                self.url,
                download_root=str(folder.parent),
                extract_root=temporary,
                filename=self.filename,
                md5=self.tgz_md5,
            )
            Path(temporary, self.base_folder).rename(folder)

    @staticmethod
    def _read(file: Path, *keys: str) -> dict[str, Any]:
        content = load_plain_pickle(file.read_bytes(), str(file))
        if not isinstance(content, dict) or not set(keys) <= set(content):
            found = sorted(map(str, content)) if isinstance(content, dict) else content
            raise ValueError(
                f'{file} must be a pickled dict with {" and ".join(keys)}, '
                f'got {found!r:.200}'
            )
        return content

    def _class_names(self, file: Path) -> tuple[str, ...]:
        if not file.exists():
            return CIFAR100_CATEGORIES
        return tuple(self._read(file, 'fine_label_names')['fine_label_names'])
