import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
    ProcessFailure,
)

from mmkd.cli import torchrun


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--nproc-per-node=0'], "an integer >= 1, got '0'"),
        (['--nproc-per-node=-2'], "an integer >= 1, got '-2'"),
        (['--nproc-per-node=two'], "an integer >= 1, got 'two'"),
        (['--master-port=99999'], 'MASTER_PORT must be from 1 to 65535, got 99999'),
    ],
)
def test_wrong_numbers_end_in_one_line(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'argv', ['torchrun', *options, 'train.py'])
    with pytest.raises(SystemExit, match=message):
        torchrun.main()


def test_a_taken_port_is_named_with_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        port = listener.getsockname()[1]
        options = f'--master-port={port}', '--nproc-per-node=2', 'train.py'
        monkeypatch.setattr(sys, 'argv', ['torchrun', *options])
        with pytest.raises(SystemExit, match=f'port {port} is taken.*MASTER_PORT='):
            torchrun.main()
        # Machines that join do not open the port.
        torchrun.check(torchrun.run.parse_args(['--node-rank=1', *options]))
    torchrun.check(torchrun.run.parse_args(list(options)))


@pytest.mark.parametrize('number', [2, 15])
def test_a_signal_ends_it_without_a_traceback(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise torchrun.SignalException('got a signal', sigval=number)

    monkeypatch.setattr(torchrun.run, 'main', interrupted)
    monkeypatch.setattr(sys, 'argv', ['torchrun', '--standalone', 'train.py'])
    with pytest.raises(SystemExit) as end:
        torchrun.main()
    assert end.value.code == 128 + number


def failure(rank: int, file: Path | None, second: int, code: int = 1) -> ProcessFailure:
    # As in PyTorch: the time comes from the file, otherwise it is now.
    failed = ProcessFailure(rank, 100 + rank, code, str(file or '<N/A>'))
    failed.timestamp = second
    return failed


def test_of_one_second_the_process_that_wrote_first_failed_first(
    tmp_path: Path,
) -> None:
    files = [tmp_path / f'{rank}.json' for rank in range(3)]
    for file, nanosecond in zip(files, (7, 3, 5), strict=True):
        file.write_text('{"message": "lost"}')
        os.utime(file, ns=(nanosecond, nanosecond))
    failures = {rank: failure(rank, file, 9) for rank, file in enumerate(files)}
    assert torchrun.first_failure(ChildFailedError('train', failures))[0] == 1

    failures[2] = failure(2, None, 9, -signal.SIGKILL)
    assert torchrun.first_failure(ChildFailedError('train', failures))[0] == 2

    failures[0] = failure(0, files[0], 8)
    assert torchrun.first_failure(ChildFailedError('train', failures))[0] == 0
