"""Street View House Numbers, cropped digits."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine import dist
from mmpretrain.datasets.utils import download_url
from scipy.io import loadmat

from mmkd.datasets.download import downloading
from mmkd.datasets.images import data_list_of
from mmkd.datasets.in_memory import InMemory
from mmkd.registry import DATASETS


@DATASETS.register_module()
class SVHN(InMemory):
    """`SVHN <http://ufldl.stanford.edu/housenumbers/>`_: 32x32 images of digits.

    Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature
    Learning", 2011. The file's label 10 is the digit 0, and class 0 here. A
    file that is already in ``data_root`` is read as it is; a checksum protects
    the download.

    Args:
        data_root: The folder of ``train_32x32.mat``, ``test_32x32.mat`` and
            ``extra_32x32.mat``.
        split: ``'train'`` (73,257 images), ``'test'`` (26,032), ``'extra'``
            (531,131 easier ones), or ``'train+extra'``.
        download: Whether to download missing files.
        **kwargs: See :class:`InMemory` and MMPretrain's ``BaseDataset``.

    Raises:
        ValueError: If the split is unknown, or a file has the wrong format.
        FileNotFoundError: If a file is missing and not downloaded.
    """

    METAINFO: ClassVar[dict[str, Any]] = {'classes': tuple('0123456789')}
    url = 'http://ufldl.stanford.edu/housenumbers/'
    md5: ClassVar[dict[str, str]] = {
        'train': 'e26dedcc434d2e4c54c9b2d4a06d8373',
        'test': 'eb5a983be6a315427106f1b164d9cef3',
        'extra': 'a93ce644f1a588dc4d68dda5feec44a7',
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        download: bool = True,
        **kwargs: Any,
    ) -> None:
        allowed = (*self.md5, 'train+extra')
        if split not in allowed:
            raise ValueError(f'split must be one of {allowed}, got {split!r}')
        self.split = split
        self.download = download
        super().__init__(ann_file='', data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the images and labels of the split."""
        parts = self.split.split('+')
        if dist.is_main_process():
            for part in parts:
                self._provide(part)
        dist.barrier()
        return [item for part in parts for item in self._read(self._file(part))]

    def _file(self, part: str) -> Path:
        return Path(self.data_root, f'{part}_32x32.mat')

    def _provide(self, part: str) -> None:
        file = self._file(part)
        if file.exists():
            return
        url = f'{self.url}{file.name}'
        if not self.download:
            raise FileNotFoundError(
                f'{file} does not exist. Download it from {url}, or set '
                'download=True'
            )
        with downloading(url, [file.name], file.parent) as temporary:
            download_url(url, temporary, file.name, self.md5[part])
            file.parent.mkdir(exist_ok=True)
            Path(temporary, file.name).rename(file)

    def _read(self, file: Path) -> list[dict[str, Any]]:
        with file.open('rb') as stream:
            try:
                content = loadmat(stream, variable_names=['X', 'y'])
                images, labels = content['X'], content['y']
            except MemoryError:
                raise
            except Exception as error:
                # A damaged file can make SciPy raise any exception.
                raise ValueError(
                    f'{file} is not a MATLAB file with X and y: {error}'
                ) from error
        if images.ndim != 4:
            raise ValueError(
                f'{file}: X must be of shape (32, 32, 3, N), got {images.shape}'
            )
        digits = labels.reshape(-1).astype(np.int64)
        digits[digits == 10] = 0
        return data_list_of(images.transpose(3, 0, 1, 2), digits, 10, str(file))

    def extra_repr(self) -> list[str]:
        """The lines that ``repr`` adds: folder and split."""
        return [f'Data root: \t{self.data_root}', f'Split: \t{self.split}']
