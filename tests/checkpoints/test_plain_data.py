"""What a pickle may say about NumPy."""

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from fresh_python import run_python
from mmengine.logging import HistoryBuffer
from torch import nn

from mmkd.checkpoints.loading import CheckpointError, safe_load
from mmkd.checkpoints.plain_pickle import load_plain_pickle


def text(value: str) -> bytes:
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def kind_of(code: str, state: bytes = b'') -> bytes:
    build = b'(' + state + b'tb' if state else b''
    return b'cnumpy\ndtype\n(' + text(code) + b'\x89\x88tR' + build


def fields(flags: int) -> bytes:
    """An eight-byte type that claims to hold an object."""
    where = b'}(' + text('a') + b'(' + kind_of('O8') + b'K\x00tu'
    names = b'(' + text('a') + b't'
    sizes = b'K\x08K\x01K' + bytes([flags])
    return b'K\x03' + text('|') + b'N' + names + where + sizes


def parts() -> bytes:
    """An eight-byte type that claims to consist of one object."""
    base = b'(' + kind_of('O8') + b'(K\x01tt'
    return b'K\x03' + text('|') + base + b'NNK\x08K\x01K\x3f'


def raw(content: str) -> bytes:
    return b'c_codecs\nencode\n(' + text(content) + text('latin1') + b'tR'


def array(kind: bytes) -> bytes:
    made = b'cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t'
    return (
        made + raw('b') + b'tR(K\x01(K\x01t' + kind + b'\x89' + raw('A' * 8) + b'tb'
    )


def scalar(kind: bytes) -> bytes:
    return b'cnumpy._core.multiarray\nscalar\n(' + kind + raw('A' * 8) + b'tR'


KINDS = {
    'object': kind_of('O8'),
    **{f'fields, {flags}': kind_of('V8', fields(flags)) for flags in (0, 1, 3, 63)},
    'fields of a number': kind_of('f8', fields(63)),
    'parts': kind_of('S8', parts()),
}


def test_forged_types_are_refused(tmp_path: Path) -> None:
    """In a separate process, which such an array can crash."""
    for kind, words in KINDS.items():
        for make in (array, scalar):
            name = f'{make.__name__} of {kind}'
            content = b'\x80\x02}' + text('x') + make(words) + b's.'
            (tmp_path / f'{name}.pkl').write_bytes(content)
            with ZipFile(tmp_path / f'{name}.pth', 'w') as archive:
                archive.writestr('a/data.pkl', content)
                archive.writestr('a/byteorder', 'little')
                archive.writestr('a/version', '3\n')
    process = run_python(
        f"""
from pathlib import Path
from mmkd.checkpoints.loading import safe_load
from mmkd.checkpoints.plain_pickle import load_plain_pickle

files = sorted(Path({str(tmp_path)!r}).iterdir())
for file in files:
    print(file.name, end=': ', flush=True)
    try:
        if file.suffix == '.pth':
            print(safe_load(file))
        else:
            print(load_plain_pickle(file.read_bytes(), file.name))
    except ValueError as error:
        print('refused' if 'is refused' in str(error) else error)
"""
    )
    assert process.returncode == 0, process.stdout + process.stderr
    lines = process.stdout.splitlines()
    assert len(lines) == 4 * len(KINDS)
    assert all(line.endswith(': refused') for line in lines), process.stdout


def test_numpy_that_others_allow_stays_replaced(tmp_path: Path) -> None:
    torch.save(dict(x=np.zeros(3, 'V8')), tmp_path / 'a.pth')
    make = np.zeros(1).__reduce__()[0]
    allowed = [np.ndarray, np.dtype, type(np.dtype('V8')), make]
    with (
        torch.serialization.safe_globals(allowed),
        pytest.raises(CheckpointError, match=r'a\.pth is refused: .* V8'),
    ):
        safe_load(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'value',
    [
        np.arange(6, dtype='>i4').reshape(2, 3),
        np.asfortranarray(np.random.rand(3, 4).astype(np.float16)),
        np.array([], np.uint8),
        np.zeros((0, 3)),
        np.array(['road', 'sky']),
        np.array([1 + 2j]),
        np.dtype('float32'),
    ],
)
def test_both_readers_give_the_same_values(value: Any) -> None:
    file = io.BytesIO()
    torch.save([value, (value,), {'a': value}], file)
    file.seek(0)
    for read in (
        safe_load(file),
        load_plain_pickle(pickle.dumps([value, (value,), {'a': value}]), 'a pickle'),
    ):
        assert read[0] is read[1][0] is read[2]['a']
        assert type(read[0]) is type(value)
        np.testing.assert_equal(read[0], value)
        if isinstance(value, np.ndarray):
            assert read[0].dtype == value.dtype
            assert read[0].flags.writeable


def test_nothing_hangs_on_what_was_read() -> None:
    history, tensor = HistoryBuffer([1.0], [1]), torch.ones(2)
    history.mean = 'no method'
    tensor.median = 'no method'
    state = nn.Linear(2, 1).state_dict()
    state.get = 'no method'
    file = io.BytesIO()
    torch.save(dict(history=history, tensor=tensor, state=state), file)
    file.seek(0)

    read = safe_load(file)

    assert read['history'].mean() == 1.0
    assert read['tensor'].median() == 1
    assert read['state'].get('bias') is not None
    assert read['state']._metadata == OrderedDict({'': dict(version=1)})


def test_a_chain_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    content = b'\x80\x02' + b'(' * 5000 + b't' * 5000 + b'.'
    with ZipFile(tmp_path / 'deep.pth', 'w') as archive:
        archive.writestr('a/data.pkl', content)
        archive.writestr('a/version', '3\n')

    with pytest.raises(CheckpointError, match='cannot read checkpoint'):
        safe_load(tmp_path / 'deep.pth')
