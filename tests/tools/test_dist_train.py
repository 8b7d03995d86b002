"""The shell scripts, on the demo's data and with CPU processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from mmkd.checkpoints.loading import safe_load
from mmkd.models import build_model
from mmkd_demo.street_scenes import write_street_scenes

ROOT = Path(__file__).parents[2]
DEMO = ROOT / 'configs' / 'demo' / 'segmentation'
PATIENCE = 600
SMALL = (
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.checkpoint.max_keep_ckpts=1',
    'train_cfg.val_interval=2',
    'env_cfg.dist_cfg.timeout=120',
)
MHKD = f"""
_base_ = '{DEMO}/dhkd.py'
head = dict(type='ConvClassifier', channels=8)
model = dict(
    methods=dict(
        _delete_=True,
        multi_head=dict(type='MultiHead', head=head),
        kd=dict(type='LogitsKD')))
"""
FAILS = """
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class Fails(Hook):
    def after_train_iter(self, *_, **__):
        if get_rank() == 1:
            raise ArithmeticError('process 1 cannot go on')
"""
Start = Callable[..., subprocess.Popen]


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """Options for drawn scenes and a teacher."""
    folder = tmp_path_factory.mktemp('made')
    write_street_scenes(folder / 'data', train=8, val=4)
    teacher = build_model(str(DEMO / 'teacher.py')).state_dict()
    torch.save(teacher, folder / 'teacher.pth')
    # Its weights are random.
    teacher_options = ('--teacher', folder / 'teacher.pth', '--no-teacher-check')
    return '--data-root', folder / 'data', *teacher_options


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a script in its own session, with its output in a file."""
    started = []

    def run(
        script: str, *arguments: object, log: str, **variables: object
    ) -> subprocess.Popen:
        environment = {
            **os.environ,
            'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
            'PYTHONPATH': str(ROOT),
            'CUDA_VISIBLE_DEVICES': '-1',
            'OMP_NUM_THREADS': '1',
            **{name: str(value) for name, value in variables.items()},
        }
        with (tmp_path / log).open('w') as output:
            process = subprocess.Popen(
                ['bash', str(ROOT / 'tools' / script), *map(str, arguments)],
                cwd=tmp_path,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        end(process)


def end(process: subprocess.Popen) -> None:
    """Kill torchrun; its worker, in its own session, dies with it."""
    workers = children(process.pid)
    for pid in (*workers, process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def children(parent: int) -> list[int]:
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            text = stat.read_text()
        except OSError:
            continue
        # After the name in brackets: the state and the parent.
        if int(text.rpartition(')')[2].split()[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def test_two_processes_of_one_machine_train(
    start: Start, made: tuple[object, ...], tmp_path: Path
) -> None:
    options = ('--work-dir', tmp_path, '--cfg-options', *SMALL)
    train = start(
        'dist_train.sh',
        *(DEMO / 'dhkd.py', 2, *made, *options, 'train_cfg.max_iters=2'),
        log='log',
        MASTER_PORT=free_port(),
    )
    assert train.wait(PATIENCE) == 0, (tmp_path / 'log').read_text()
    log = (tmp_path / 'log').read_text()
    assert 'Iter(train) [2/2]' in log
    assert 'distill.dual_head.loss' in log
    assert 'mIoU' in log
    state = safe_load(tmp_path / 'student.pth')['state_dict']
    build_model(str(DEMO / 'student.py')).load_state_dict(state, strict=True)


def test_the_process_that_failed_is_named_with_its_error(
    start: Start, made: tuple[object, ...], tmp_path: Path
) -> None:
    config = f"""
_base_ = '{DEMO}/dhkd.py'
custom_imports = dict(imports=['fails'])
custom_hooks = [dict(type='Fails')]
"""
    (tmp_path / 'config.py').write_text(config)
    (tmp_path / 'fails.py').write_text(FAILS)
    train = start(
        'dist_train.sh',
        *(tmp_path / 'config.py', 2, *made, '--work-dir', tmp_path / 'work'),
        *('--cfg-options', *SMALL, 'train_cfg.max_iters=9'),
        log='log',
        MASTER_PORT=free_port(),
        PYTHONPATH=f'{ROOT}:{tmp_path}',
    )
    assert train.wait(PATIENCE) != 0
    cause = (tmp_path / 'log').read_text().split('Root Cause')[1]
    assert 'rank      : 1' in cause
    assert 'ArithmeticError: process 1 cannot go on' in cause


@pytest.mark.soak
def test_two_processes_of_one_machine_test(
    start: Start, made: tuple[object, ...], tmp_path: Path
) -> None:
    student = build_model(str(DEMO / 'student.py')).state_dict()
    torch.save(dict(state_dict=student), tmp_path / 'student.pth')
    test = start(
        'dist_test.sh',
        *(DEMO / 'dhkd.py', tmp_path / 'student.pth', 2, *made[:2]),
        log='log',
        MASTER_PORT=free_port(),
    )
    assert test.wait(PATIENCE) == 0, (tmp_path / 'log').read_text()
    assert 'mIoU' in (tmp_path / 'log').read_text()


def test_two_machines_train_until_one_is_lost(
    start: Start, made: tuple[object, ...], tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / 'mhkd.py').write_text(MHKD)
    arguments = (
        *(tmp_path / 'mhkd.py', 1, *made, '--work-dir', tmp_path / 'work'),
        *('--cfg-options', *SMALL, 'train_cfg.max_iters=100000'),
    )
    nodes = [
        start(
            'dist_train.sh',
            *arguments,
            log=str(rank),
            NNODES=2,
            NODE_RANK=rank,
            MASTER_PORT=port,
        )
        for rank in range(2)
    ]
    logs = [tmp_path / str(rank) for rank in range(2)]
    deadline = time.monotonic() + PATIENCE
    while not list((tmp_path / 'work').glob('iter_*.pth')):
        assert all(node.poll() is None for node in nodes), logs[0].read_text()
        assert time.monotonic() < deadline, logs[0].read_text()
        time.sleep(0.2)
    [worker] = children(nodes[1].pid)
    os.kill(worker, signal.SIGKILL)
    assert nodes[0].wait(PATIENCE) != 0
    assert nodes[1].wait(PATIENCE) != 0
    first, second = (log.read_text() for log in logs)
    assert 'distill.multi_head.loss_student_heads' in first
    assert 'by peer' in first.split('Root Cause')[1]
    assert 'Signal 9 (SIGKILL) received' in second
