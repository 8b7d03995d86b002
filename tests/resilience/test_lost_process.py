"""What ends a run of several processes; run as a script, this starts such runs.

Every run trains until its last process dies, fails or stops answering. The
script imports once, then forks the processes of all runs, which meet as under
torchrun.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import distributed, nn

from mmkd.engine import AnyDeviceDataParallel, join_processes
from mmkd.resilience.lost_process import name_lost_process

ROOT = Path(__file__).parents[2]
RUNS = {'killed': 2, 'stopped': 2, 'failed': 3}
TIMEOUT = 20


def fall(run: str) -> None:
    if run == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    if run == 'stopped':
        os.kill(os.getpid(), signal.SIGSTOP)
    raise MemoryError('no memory for 3 images')


def train(run: str, rank: int) -> None:
    """Train until something goes wrong."""
    join_processes(
        Config(
            dict(
                launcher='pytorch',
                env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=TIMEOUT)),
            )
        )
    )
    with name_lost_process():
        model = AnyDeviceDataParallel(nn.Linear(3, 3), device_ids=[rank])
        step = 0
        while True:
            if rank == RUNS[run] - 1 and step == 20:
                fall(run)
            model(torch.ones(2, 3)).sum().backward()
            step += 1


def process(run: str, rank: int, port: int, folder: Path) -> None:
    os.environ.update(
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        TORCHELASTIC_USE_AGENT_STORE='True',
        RANK=str(rank),
        WORLD_SIZE=str(RUNS[run]),
        LOCAL_RANK=str(rank),
    )
    try:
        train(run, rank)
    except BaseException as error:
        words = dict(message=str(error), cause=str(error.__cause__))
        (folder / f'{run}_{rank}.json').write_text(json.dumps(words))
    finally:
        os._exit(1)


def main(folder: Path) -> None:
    stores, children = [], {}
    for run, world in RUNS.items():
        store = distributed.TCPStore(
            '127.0.0.1',
            0,
            is_master=True,
            wait_for_workers=False,
            timeout=timedelta(seconds=600),
        )
        stores.append(store)
        for rank in range(world):
            child = os.fork()
            if not child:
                process(run, rank, store.port, folder)
            children[run, rank] = child
    for (run, rank), child in children.items():
        if (run, rank) != ('stopped', 1):
            os.waitpid(child, 0)
    os.kill(children['stopped', 1], signal.SIGKILL)


@pytest.fixture(scope='module')
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    folder = tmp_path_factory.mktemp('runs')
    script = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        start_new_session=True,
    )
    try:
        assert script.wait(600) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(script.pid, signal.SIGKILL)
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}


def test_a_killed_process_is_named(messages: dict[str, dict[str, str]]) -> None:
    message = messages['killed_0']['message']
    assert message.startswith('process 1 of 2 does not answer: it was killed')
    assert '--resume' in message
    assert 'killed_1' not in messages


def test_a_process_that_hangs_is_named_after_the_timeout(
    messages: dict[str, dict[str, str]],
) -> None:
    words = messages['stopped_0']
    assert 'process 1 of 2 does not answer' in words['message']
    assert 'env_cfg.dist_cfg.timeout' in words['message']
    assert f'{TIMEOUT}000ms' in words['cause']


@pytest.mark.parametrize('rank', [0, 1])
def test_the_error_of_another_process_is_passed_on(
    messages: dict[str, dict[str, str]], rank: int
) -> None:
    assert messages['failed_2']['message'] == 'no memory for 3 images'
    assert messages[f'failed_{rank}']['message'].startswith(
        'process 2 of 3 ended the run with MemoryError: no memory for 3 images'
    )


def test_one_process_keeps_its_own_error() -> None:
    error = RuntimeError('[/x/gloo/pair.cc:1] Connection closed')
    with pytest.raises(RuntimeError) as raised, name_lost_process():
        raise error
    assert raised.value is error


if __name__ == '__main__':
    main(Path(sys.argv[1]))
