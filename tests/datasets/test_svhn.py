import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from mmkd.datasets import SVHN
from mmkd.registry import DATASETS


def write(root: Path, part: str, labels: list[int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (32, 32, 3, len(labels)), dtype=np.uint8)
    column = np.array(labels, np.uint8).reshape(-1, 1)
    savemat(root / f'{part}_32x32.mat', {'X': images, 'y': column})
    return images


def test_reads_images_and_calls_label_10_digit_0(tmp_path: Path) -> None:
    images = write(tmp_path, 'train', [10, 1, 9, 10])
    dataset = DATASETS.build(dict(type='mmkd.SVHN', data_root=str(tmp_path)))
    assert tuple('0123456789') == dataset.CLASSES
    assert dataset.get_gt_labels().tolist() == [0, 1, 9, 0]
    for index in range(4):
        np.testing.assert_array_equal(dataset[index]['img'], images[..., index])


def test_each_split_reads_its_own_file(tmp_path: Path) -> None:
    write(tmp_path, 'train', [1, 2])
    write(tmp_path, 'test', [3])
    write(tmp_path, 'extra', [4, 5, 10])
    labels = {
        split: SVHN(str(tmp_path), split=split).get_gt_labels().tolist()
        for split in ('train', 'test', 'extra', 'train+extra')
    }
    assert labels == {
        'train': [1, 2],
        'test': [3],
        'extra': [4, 5, 0],
        'train+extra': [1, 2, 4, 5, 0],
    }


def test_names_the_splits_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"split must be one of .*'extra'.*'val'"):
        SVHN(str(tmp_path), split='val')


def test_downloads_what_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 'test', [7])
    source = tmp_path / 'test_32x32.mat'
    monkeypatch.setattr(SVHN, 'url', f'{tmp_path.as_uri()}/')
    md5 = hashlib.md5(source.read_bytes()).hexdigest()
    monkeypatch.setitem(SVHN.md5, 'test', md5)
    dataset = SVHN(str(tmp_path / 'data'), split='test')
    assert dataset.get_gt_labels().tolist() == [7]


def test_the_checksum_protects_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 'test', [7])
    monkeypatch.setattr(SVHN, 'url', f'{tmp_path.as_uri()}/')
    folder = tmp_path / 'data'
    with pytest.raises(FileNotFoundError, match='corrupted'):
        SVHN(str(folder), split='test')
    assert not list(tmp_path.rglob('data/*'))


def test_says_what_to_do_where_no_network_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SVHN, 'url', f'{tmp_path.as_uri()}/absent/')
    with pytest.raises(FileNotFoundError) as error:
        SVHN(str(tmp_path), split='extra')
    message = str(error.value)
    assert f'{tmp_path.as_uri()}/absent/extra_32x32.mat cannot be' in message
    assert f'put extra_32x32.mat into {tmp_path}' in message


def test_download_can_be_forbidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'train_32x32\.mat does not exist'):
        SVHN(str(tmp_path), download=False)


@pytest.mark.parametrize('content', [b'', b'no MATLAB file', b'x' * 4096])
def test_names_the_file_that_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'train_32x32.mat').write_bytes(content)
    with pytest.raises(ValueError, match=r'train_32x32\.mat is not a MATLAB file'):
        SVHN(str(tmp_path))


def test_names_the_file_that_is_cut_short(tmp_path: Path) -> None:
    write(tmp_path, 'train', [1, 2])
    file = tmp_path / 'train_32x32.mat'
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r'train_32x32\.mat is not a MATLAB file'):
        SVHN(str(tmp_path))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'X': np.zeros((32, 32, 3, 2), np.uint8)}, 'with X and y'),
        ({'X': np.zeros((2, 3072), np.uint8), 'y': [1, 2]}, r'\(32, 32, 3, N\)'),
        ({'X': np.zeros((32, 32, 3, 2)), 'y': [1, 2]}, 'must be uint8'),
        ({'X': np.zeros((32, 32, 3, 2), np.uint8), 'y': [1]}, r'shape \(2,\)'),
        ({'X': np.zeros((32, 32, 3, 2), np.uint8), 'y': [1, 11]}, 'got 1 to 11'),
    ],
)
def test_names_the_file_that_is_not_of_the_format(
    tmp_path: Path, content: dict, message: str
) -> None:
    savemat(tmp_path / 'train_32x32.mat', content)
    with pytest.raises(ValueError, match=rf'train_32x32\.mat.*{message}'):
        SVHN(str(tmp_path))
