import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from mmkd.checkpoints.plain_pickle import load_plain_pickle


class Command:
    """Runs a shell command if an ordinary unpickler unpickles it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.path}',)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_reads_arrays_and_plain_values_of_every_protocol(protocol: int) -> None:
    content = {
        'data': np.arange(12, dtype=np.uint8).reshape(3, 4)[:, ::2],
        'labels': [1, np.int64(2), 3.5, None, True, b'bytes', (1,)],
    }
    read = load_plain_pickle(pickle.dumps(content, protocol), 'file')
    np.testing.assert_array_equal(read['data'], [[0, 2], [4, 6], [8, 10]])
    assert read['data'].dtype == np.uint8
    assert read['labels'] == content['labels']


def test_reads_the_names_that_numpy_1_wrote() -> None:
    # A NumPy 1 array pickled by Python 2, as in the original archive.
    content = (
        b'\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01'
        b'K\x00\x85q\x02U\x01bq\x03\x87q\x04Rq\x05(K\x01K\x03\x85q\x06cnumpy\ndtype'
        b'\nq\x07U\x02u1q\x08K\x00K\x01\x87q\tRq\n(K\x03U\x01|NNNJ\xff\xff\xff\xff'
        b'J\xff\xff\xff\xffK\x00tq\x0bb\x89U\x03\x01\xff\x03q\x0ctq\rb.'
    )
    read = load_plain_pickle(content, 'file')
    np.testing.assert_array_equal(read, np.array([1, 255, 3], np.uint8))


def test_refuses_a_command_and_does_not_run_it(tmp_path: Path) -> None:
    trace = tmp_path / 'ran'
    content = pickle.dumps({'data': Command(str(trace))})
    with pytest.raises(ValueError, match=r'some/file is refused: .*\bsystem is not'):
        load_plain_pickle(content, 'some/file')
    assert not trace.exists()
    pickle.loads(content)
    assert trace.exists()


def test_refuses_a_command_hidden_in_an_array_of_objects(tmp_path: Path) -> None:
    trace = tmp_path / 'ran'
    array = np.array([Command(str(trace))], dtype=object)
    with pytest.raises(ValueError, match='system is not allowed'):
        load_plain_pickle(pickle.dumps(array), 'file')
    assert not trace.exists()


@pytest.mark.parametrize('value', [OrderedDict(a=1), getattr, print, np.load])
def test_refuses_every_other_class_and_function(value: object) -> None:
    with pytest.raises(ValueError, match='is not allowed'):
        load_plain_pickle(pickle.dumps(value), 'file')


@pytest.mark.parametrize(
    'content', [b'', b'\x80', b'no pickle', pickle.dumps([1])[:-2]]
)
def test_names_the_damaged_file(content: bytes) -> None:
    with pytest.raises(ValueError, match='some/file is refused'):
        load_plain_pickle(content, 'some/file')
