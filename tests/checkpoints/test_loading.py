import io
import pickle
import socket
import tarfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleParamScheduler
from safetensors.torch import save_file
from torch import nn

from mmkd.checkpoints.addresses import safe_load_url
from mmkd.checkpoints.loading import CheckpointError, read_meta, safe_load


class Getattr:
    """Pickles as ``getattr(owner, name)``."""

    def __init__(self, owner: Any, name: str) -> None:
        self.reduced = getattr, (owner, name)

    def __reduce__(self) -> Any:
        return self.reduced


def test_log_history_is_read(tmp_path: Path) -> None:
    torch.save(HistoryBuffer([1.0, 4.0], [1, 4]), tmp_path / 'log.pth')

    log = safe_load(tmp_path / 'log.pth')

    assert log.statistics('mean') == 1.0
    assert log.statistics('current') == 4.0


@pytest.mark.parametrize('today', [True, False])
def test_a_mapped_file_is_read_and_never_written(today: bool, tmp_path: Path) -> None:
    file, state = tmp_path / 'a.pth', dict(weight=torch.arange(5.0))
    torch.save(state, file, _use_new_zipfile_serialization=today)
    content = file.read_bytes()
    weight = safe_load(file, mapped=True)['weight']
    assert weight.equal(state['weight'])
    weight.zero_()
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    'value',
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([True, False]),
        np.array([]),
        np.array(['road', 'sky']),
        np.uint8(7),
        np.float64(0.25),
        {'classes': ('road', 'sky'), 'palette': [[0, 0, 0]], 'label_map': None},
    ],
)
def test_values_survive(value: Any, tmp_path: Path) -> None:
    torch.save({'value': value}, tmp_path / 'value.pth')

    found = safe_load(tmp_path / 'value.pth')['value']

    assert type(found) is type(value)
    np.testing.assert_equal(found, value)


@pytest.mark.parametrize(
    ('written', 'known'), [(b'core', b'_core'), (b'_core', b'core')]
)
def test_arrays_of_either_numpy_are_read(written: bytes, known: bytes) -> None:
    """NumPy 2 renamed the module that its pickles name."""
    file = io.BytesIO()
    torch.save(np.arange(3), file, _use_new_zipfile_serialization=False)
    named = file.getvalue().replace(
        b'numpy.' + known + b'.multiarray', b'numpy.' + written + b'.multiarray'
    )
    assert b'numpy.' + written + b'.multiarray' in named

    np.testing.assert_array_equal(safe_load(io.BytesIO(named)), np.arange(3))


def test_hostile_files_are_real(hostile: Any) -> None:
    """Otherwise refusing them would prove nothing."""
    with ZipFile(hostile.path) as archive, suppress(AttributeError):
        pickle.loads(archive.read('hostile/data.pkl'))

    assert hostile.marker.exists()


def test_hostile_file_is_refused(hostile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')

    with pytest.raises(CheckpointError, match=rf'{hostile.path} is refused: .* use \S'):
        safe_load(hostile.path)

    assert not hostile.marker.exists()


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, 'statistics'),
        (HistoryBuffer(), 'mean'),
        (OneCycleParamScheduler, '__init__'),
        (np.ndarray, 'tofile'),
    ],
)
def test_getattr_reaches_few_methods(owner: Any, name: str, tmp_path: Path) -> None:
    torch.save(Getattr(owner, name), tmp_path / 'call.pth')

    with pytest.raises(CheckpointError, match=rf'call\.pth is refused: .*\.{name},'):
        safe_load(tmp_path / 'call.pth')


def test_getattr_allowed_elsewhere_is_not_used(hostile: Any) -> None:
    with torch.serialization.safe_globals([getattr, (getattr, 'builtins.getattr')]):
        before = set(torch.serialization.get_safe_globals())
        with pytest.raises(CheckpointError):
            safe_load(hostile.path)
        assert set(torch.serialization.get_safe_globals()) == before

    assert not hostile.marker.exists()


def test_class_that_the_user_allows_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'fraction.pth'
    torch.save(Fraction(1, 3), path)

    with pytest.raises(CheckpointError, match=r'use fractions\.Fraction,'):
        safe_load(path)
    with torch.serialization.safe_globals([Fraction]):
        assert safe_load(path) == Fraction(1, 3)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('kept', [0.0, 0.1, 0.5, 0.99])
def test_damaged_file_is_named(zipped: bool, kept: float, tmp_path: Path) -> None:
    path = tmp_path / 'line.pth'
    weights = nn.Linear(2, 1).state_dict()
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(CheckpointError, match=f'cannot read checkpoint {path}: '):
        safe_load(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        safe_load(tmp_path / 'none.pth')


@pytest.mark.parametrize('folder', [None, 'models'])
def test_unreachable_address_says_where_to_put_the_file(
    folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.chdir(tmp_path)
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{closed.getsockname()[1]}/zoo/net.pth?version=2'
        with pytest.raises(OSError, match=r'net\.pth.* cannot be reached') as error:
            safe_load_url(url, model_dir=folder)
        place = Path(str(error.value).rpartition(' save it as ')[2])
        place.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(weight=torch.ones(2)), place)

        assert safe_load_url(url, model_dir=folder)['weight'].equal(torch.ones(2))


def test_an_archive_takes_no_other_download_s_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / 'trusted.pth'
    torch.save(dict(weight=torch.ones(2)), other)
    torch.save(dict(weight=torch.zeros(2)), tmp_path / 'hostile.pth')
    with ZipFile(tmp_path / 'net.zip', 'w') as archive:
        archive.write(tmp_path / 'hostile.pth', 'trusted.pth')
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r'net\.zip: .* zip archive of trus'):
            safe_load_url('https://example.org/net.zip', model_dir=str(tmp_path))
    assert safe_load(other)['weight'].equal(torch.ones(2))


class Twice(nn.Module):
    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return 2 * value


def tar_of(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('storages'), io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize(
    ('content', 'kind'),
    [
        (b'\n<!DOCTYPE html>\n<html><body>Not found</body></html>', 'a web page'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0', 'a Git LFS '),
        (b'', 'empty'),
        (b'\x89HDF\r\n' + bytes(90), 'an HDF5 file'),
        (b'\x1f\x8b' + bytes(90), 'a gzip archive'),
        (pickle.dumps([1, 2]), 'a plain Python pickle'),
        (b'{"state_dict": {}}', 'text: .*state_dict'),
        (tar_of(b'weights'), 'a tar archive'),
    ],
)
def test_other_files_are_told_by_kind(
    content: bytes, kind: str, tmp_path: Path
) -> None:
    (tmp_path / 'other.pth').write_bytes(content)

    with pytest.raises(CheckpointError, match=rf'other\.pth: it is.* {kind}') as error:
        safe_load(tmp_path / 'other.pth')

    assert 'weights_only' not in str(error.value)


def test_torchscript_is_told_and_not_to_be_loaded_unsafely(tmp_path: Path) -> None:
    path = tmp_path / 'script.pth'
    torch.jit.save(torch.jit.script(Twice()), path)

    with pytest.raises(CheckpointError, match=r'script\.pth: .* TorchScript') as error:
        safe_load(path)

    assert 'weights_only' not in str(error.value)


def test_safetensors_are_read(tmp_path: Path) -> None:
    path, state = tmp_path / 'net.safetensors', nn.Linear(2, 3).state_dict()
    save_file(state, path, metadata=dict(format='pt'))

    read = safe_load(path)

    assert read.keys() == state.keys()
    assert all(read[key].equal(state[key]) for key in state)
    assert read_meta(path) == {}
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=r'read checkpoint .*net\.safetensors'):
        safe_load(path)


def test_what_a_checkpoint_says_of_itself(tmp_path: Path) -> None:
    path, meta = tmp_path / 'a.pth', dict(iter=3, best=np.float64(0.5))
    torch.save(dict(meta=meta, state_dict=nn.Linear(2, 3).state_dict()), path)
    assert read_meta(path) == meta
    for content in ([1], dict(meta=[1]), dict(state_dict={})):
        torch.save(content, path)
        assert read_meta(path) == {}
