import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path
from threading import Thread

import pytest
from torch import distributed
from torch.utils.data import DataLoader

from mmkd.resilience.stop_signal import StopSignal
from mmkd.resilience.worker_start import WorkerStart


def test_it_is_remembered_and_the_handler_given_back() -> None:
    former = signal.getsignal(signal.SIGTERM)
    with StopSignal() as stop:
        assert not stop.agreed()
        for _ in range(2):  # a launcher forwards what the cluster has sent too
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.agreed()
    assert signal.getsignal(signal.SIGTERM) is former


def test_the_handler_is_given_back_after_an_error() -> None:
    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), StopSignal():
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) is former


def test_other_threads_are_left_alone() -> None:
    former, found = signal.getsignal(signal.SIGTERM), []

    def look() -> None:
        with StopSignal() as stop:
            found.append((stop.agreed(), signal.getsignal(signal.SIGTERM) is former))

    thread = Thread(target=look)
    thread.start()
    thread.join()
    assert found == [(False, True)]


def agree(rank: int, folder: Path) -> None:
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    with StopSignal() as stop:
        found = [stop.agreed()]
        if rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        found.append(stop.agreed())
    (folder / str(rank)).write_text(str(found))


def test_processes_agree_when_one_got_it(tmp_path: Path) -> None:
    fork = multiprocessing.get_context('fork')
    processes = [fork.Process(target=agree, args=(rank, tmp_path)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    for rank in (0, 1):
        assert (tmp_path / str(rank)).read_text() == '[False, True]'


class Slow:
    """Returns the id of the process that reads it."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> int:
        time.sleep(0.01)
        return os.getpid()


def test_workers_outlive_the_signal_of_a_cluster() -> None:
    """A cluster signals all processes of a job, including workers."""
    loader = DataLoader(Slow(), num_workers=2, worker_init_fn=WorkerStart())
    batches = iter(loader)
    workers = {int(next(batches)) for _ in range(4)}
    for worker in workers:
        subprocess.run(['kill', '-TERM', str(worker)], check=True)
    assert len([*batches]) == 26
    processes = batches._workers  # type: ignore[attr-defined]
    assert {process.pid for process in processes} == workers


def test_workers_end_when_their_training_ends_them() -> None:
    """Otherwise a training could not end: it sends them SIGTERM and waits."""
    loader = DataLoader(Slow(), num_workers=1, worker_init_fn=WorkerStart())
    batches = iter(loader)
    next(batches)
    (worker,) = batches._workers  # type: ignore[attr-defined]
    worker.terminate()
    worker.join(30)
    assert worker.exitcode == 0


def test_what_a_worker_was_to_do_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, 'sigwaitinfo', raising=False)
    done: list[int] = []
    WorkerStart(done.append)(3)
    assert done == [3]
