import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import mmpretrain.datasets
import numpy as np
import pytest
from mmpretrain.datasets.categories import CIFAR100_CATEGORIES

from mmkd.datasets import CIFAR100
from mmkd.registry import DATASETS


def rows(count: int, classes: int, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    return {
        'data': rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        'fine_labels': rng.integers(0, classes, count).tolist(),
    }


def write(root: Path, name: str, content: object) -> Path:
    folder = root / 'cifar-100-python'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(content))
    return folder


def test_reads_pickles_that_are_not_the_original(tmp_path: Path) -> None:
    train, test = rows(7, 3, seed=0), rows(4, 3, seed=1)
    write(tmp_path, 'train', train)
    write(tmp_path, 'test', test)
    write(tmp_path, 'meta', {'fine_label_names': ['n01', 'n02', 'n03']})
    # MMPretrain's own class treats them as a damaged download.
    with pytest.raises(RuntimeError, match='Cannot find'):
        mmpretrain.datasets.CIFAR100(str(tmp_path), download=False)
    for split, content in (('train', train), ('test', test)):
        dataset = DATASETS.build(
            dict(type='mmkd.CIFAR100', data_root=str(tmp_path), split=split)
        )
        assert dataset.CLASSES == ('n01', 'n02', 'n03')
        assert dataset.get_gt_labels().tolist() == content['fine_labels']
        assert len(dataset) == len(content['data'])
        image = dataset[2]['img']
        assert image.shape == (32, 32, 3)
        row, column, channel = 5, 9, 1
        value = content['data'][2][channel * 1024 + row * 32 + column]
        assert image[row, column, channel] == value


def test_one_split_needs_no_other_and_names_default_to_cifar_100s(
    tmp_path: Path,
) -> None:
    write(tmp_path, 'test', rows(2, 100, seed=0))
    dataset = CIFAR100(data_root=str(tmp_path), split='test')
    assert dataset.CLASSES == CIFAR100_CATEGORIES


def test_names_given_by_the_user_win(tmp_path: Path) -> None:
    write(tmp_path, 'train', rows(2, 2, seed=0))
    write(tmp_path, 'meta', {'fine_label_names': ['a', 'b']})
    dataset = CIFAR100(data_root=str(tmp_path), metainfo=dict(classes=('x', 'y')))
    assert dataset.CLASSES == ('x', 'y')


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w:gz') as tar:
        for name in ('train', 'test'):
            content = pickle.dumps(rows(3, 100, seed=0))
            info = tarfile.TarInfo(f'cifar-100-python/{name}')
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_downloads_where_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / 'source.tar.gz'
    source.write_bytes(archive())
    monkeypatch.setattr(CIFAR100, 'url', source.as_uri())
    monkeypatch.setattr(
        CIFAR100, 'tgz_md5', hashlib.md5(source.read_bytes()).hexdigest()
    )
    assert len(CIFAR100(data_root=str(tmp_path / 'data'))) == 3


def test_the_checksum_protects_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / 'source.tar.gz'
    source.write_bytes(archive())
    monkeypatch.setattr(CIFAR100, 'url', source.as_uri())
    with pytest.raises(FileNotFoundError, match='corrupted'):
        CIFAR100(data_root=str(tmp_path / 'data'))
    assert [file.name for file in (tmp_path / 'data').iterdir()] == [CIFAR100.filename]


def test_says_what_to_do_where_no_network_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = (tmp_path / 'absent.tar.gz').as_uri()
    monkeypatch.setattr(CIFAR100, 'url', absent)
    with pytest.raises(FileNotFoundError) as error:
        CIFAR100(data_root=str(tmp_path))
    message = str(error.value)
    assert absent in message
    assert f'put train, test, meta into {tmp_path}/cifar-100-python' in message


def test_never_replaces_the_users_files_by_a_download(tmp_path: Path) -> None:
    folder = write(tmp_path, 'train', rows(2, 2, seed=0))
    before = (folder / 'train').read_bytes()
    with pytest.raises(FileNotFoundError, match="not contain 'test'"):
        CIFAR100(data_root=str(tmp_path), split='test')
    assert (folder / 'train').read_bytes() == before


def test_download_can_be_forbidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='set download=True'):
        CIFAR100(data_root=str(tmp_path), download=False)


def test_refuses_a_pickle_that_runs_code(tmp_path: Path) -> None:
    class Command:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / 'ran'),)

    write(tmp_path, 'train', {'data': Command(), 'fine_labels': []})
    with pytest.raises(ValueError, match=r'train is refused: .*mkdir is not allowed'):
        CIFAR100(data_root=str(tmp_path))
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1, 2], 'must be a pickled dict with data and fine_labels'),
        ({'data': []}, r"got \['data'\]"),
        ({**rows(2, 2, 0), 'data': np.zeros((2, 10), np.uint8)}, r'\(N, 3072\)'),
        ({**rows(2, 2, 0), 'data': np.zeros((2, 3072))}, 'must be uint8'),
        ({**rows(2, 2, 0), 'fine_labels': [0]}, r'labels must be .* shape \(2,\)'),
        ({**rows(2, 2, 0), 'fine_labels': [0, 100]}, '0 to 99, got 0 to 100'),
        ({**rows(2, 2, 0), 'fine_labels': ['a', 'b']}, 'labels must be integers'),
    ],
)
def test_names_the_file_that_is_not_of_the_format(
    tmp_path: Path, content: object, message: str
) -> None:
    write(tmp_path, 'train', content)
    with pytest.raises(ValueError, match=f'cifar-100-python/train.*{message}'):
        CIFAR100(data_root=str(tmp_path))
