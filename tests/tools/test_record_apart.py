"""Recording a teacher in several processes, and in one that is killed."""

import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from two_processes import in_two_processes

from mmkd.models import build_model
from mmkd.recording import plan
from mmkd_demo.street_scenes import write_street_scenes

ROOT = Path(__file__).parents[2]
DEMO = ROOT / 'configs' / 'demo' / 'segmentation'
SMALL = (
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=1',
    'train_dataloader.persistent_workers=False',
    'env_cfg.dist_cfg.timeout=120',
)
PATIENCE = 300


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for drawn scenes and a teacher."""
    folder = tmp_path_factory.mktemp('made')
    write_street_scenes(folder / 'data', train=8, val=4)
    teacher = build_model(str(DEMO / 'teacher.py')).state_dict()
    torch.save(teacher, folder / 'teacher.pth')
    options = ['--teacher', str(folder / 'teacher.pth'), '--no-teacher-check']
    return ['--data-root', str(folder / 'data'), *options]


def record(made: list[str], folder: Path, rows: int | None = None) -> None:
    """Record three views in this process, with shards of this many rows."""
    sys.argv = ['record.py', str(DEMO / 'dhkd.py'), *made, '--out', str(folder)]
    sys.argv += ['--views', '3', '--cfg-options', *SMALL]
    if rows is not None:
        plan.MOST_ROWS, plan.FEWEST_SHARDS = rows, 1
    runpy.run_path(str(ROOT / 'tools' / 'record.py'), run_name='__main__')


def in_a_process(
    made: list[str], folder: Path, rows: int | None = None
) -> multiprocessing.Process:
    fork = multiprocessing.get_context('fork')
    process = fork.Process(target=record, args=(made, folder, rows))
    process.start()
    return process


def shards_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob('*.npy'))}


def test_a_kill_loses_no_shard(made: list[str], tmp_path: Path) -> None:
    whole = in_a_process(made, tmp_path / 'whole', 2)
    whole.join(PATIENCE)
    expected = shards_of(tmp_path / 'whole')
    assert len(expected) == 12

    folder, kept = tmp_path / 'killed', 0
    for wanted in (1, 5):
        process = in_a_process(made, folder, 2)
        limit = time.monotonic() + PATIENCE
        while len(list(folder.glob('*.npy'))) < wanted and time.monotonic() < limit:
            time.sleep(0.005)
        process.kill()
        process.join()
        there = shards_of(folder)
        assert wanted <= len(there)
        assert there.items() <= expected.items()
        kept = len(there)
    last = in_a_process(made, folder, 2)
    last.join(PATIENCE)
    assert last.exitcode == 0
    assert shards_of(folder) == expected
    assert kept < len(expected) or sys.platform != 'linux'


def test_several_processes_share_the_shards(made: list[str], tmp_path: Path) -> None:
    whole = in_a_process(made, tmp_path / 'whole', 2)
    whole.join(PATIENCE)
    in_two_processes(lambda _: record(made, tmp_path / 'shared', 2), tmp_path)
    assert shards_of(tmp_path / 'shared') == shards_of(tmp_path / 'whole')
    assert len(shards_of(tmp_path / 'whole')) == 12


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return int(listener.getsockname()[1])


def run(script: str, *arguments: object) -> str:
    environment = {
        **os.environ,
        'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        'PYTHONPATH': str(ROOT),
        'CUDA_VISIBLE_DEVICES': '-1',
        'OMP_NUM_THREADS': '1',
        'MASTER_PORT': str(free_port()),
    }
    command = ['bash', str(ROOT / 'tools' / script), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_two_processes_record_and_follow_what_one_does(
    made: list[str], tmp_path: Path
) -> None:
    alone = in_a_process(made, tmp_path / 'alone')
    alone.join(PATIENCE)
    config = DEMO / 'dhkd.py'
    run(
        'dist_record.sh',
        *(config, 2, *made, '--out', tmp_path / 'both', '--views', 3),
        *('--cfg-options', *SMALL),
    )
    assert shards_of(tmp_path / 'both') == shards_of(tmp_path / 'alone')
    output = run(
        'dist_train.sh',
        *(config, 2, *made[:2], '--recorded', tmp_path / 'both'),
        *('--work-dir', tmp_path / 'work', '--no-teacher-check', '--cfg-options'),
        *(*SMALL, 'train_cfg.max_iters=4', 'train_cfg.val_interval=4'),
    )
    assert 'is read from' in output
    assert (tmp_path / 'work' / 'student.pth').exists()
