import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.resilience.work_dir import RECORD, WorkDirError, occupied

TRAINS = """
import os, sys, time
from mmengine.config import Config
from mmkd.resilience.work_dir import occupied
cfg = Config(dict(work_dir=sys.argv[1], train_cfg=dict(max_iters=1)))
with occupied(cfg):
    if os.fork() == 0:
        time.sleep(600)
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


@contextmanager
def another_training(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A training that has forked a process to read its data."""
    process = subprocess.Popen(
        [sys.executable, '-c', TRAINS, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def config(folder: Path, **changes: Any) -> Config:
    settings = dict(
        work_dir=str(folder),
        train_cfg=dict(max_iters=1),
        model=dict(methods=dict(kd=dict(type='LogitsKD', weight=1.0))),
        randomness=dict(seed=0),
    )
    return Config(settings | changes)


def trained(folder: Path, **changes: Any) -> None:
    with occupied(config(folder, **changes)):
        (folder / 'iter_1.pth').touch()
        (folder / 'student.pth').touch()


def test_one_training_at_a_time(tmp_path: Path) -> None:
    with another_training(tmp_path / 'a') as process:
        with pytest.raises(WorkDirError, match=f'in use: process {process.pid} on '):
            trained(tmp_path / 'a')
        trained(tmp_path / 'b')
        with pytest.raises(WorkDirError, match='in use'):
            trained(
                tmp_path / 'c' / 'a',
                default_hooks=dict(checkpoint=dict(out_dir=str(tmp_path))),
            )
        process.kill()
        process.wait()
        # Its forked process still runs.
        trained(tmp_path / 'a')


def test_processes_of_one_run_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_training(tmp_path):
        monkeypatch.setenv('RANK', '1')
        trained(tmp_path, launcher='pytorch')
        monkeypatch.setenv('RANK', '0')
        with pytest.raises(WorkDirError, match='in use'):
            trained(tmp_path, launcher='pytorch')
        monkeypatch.setenv('RANK', '1')
        with pytest.raises(WorkDirError, match='in use'):
            trained(tmp_path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(model=dict(methods=dict(kd=dict(type='LogitsKD', weight=2.0)))),
            r'model\.methods\.kd\.weight is 1\.0 \(here 2\.0\)',
        ),
        (
            dict(model=dict(methods=dict(dkd=dict(type='DKD')))),
            r'kd\.type is LogitsKD \(here not set\).*methods\.dkd\.type is not',
        ),
        (dict(randomness=dict(seed=1)), r'randomness\.seed is 0 \(here 1\)'),
        (dict(optim_wrapper=dict(optimizer=dict(lr=1))), r'optimizer\.lr is not set'),
        (dict(data_preprocessor=dict(mean=0)), r'preprocessor\.mean is not set'),
    ],
)
def test_another_experiment_is_not_overwritten(
    tmp_path: Path, changes: Any, message: str
) -> None:
    trained(tmp_path)
    before = (tmp_path / RECORD).read_bytes()
    with pytest.raises(WorkDirError, match=rf'2 checkpoints of another.*{message}'):
        trained(tmp_path, **changes)
    assert (tmp_path / RECORD).read_bytes() == before
    for file in tmp_path.glob('*.pth'):
        file.unlink()
    trained(tmp_path, **changes)


def test_names_of_checkpoints_that_the_config_sets(tmp_path: Path) -> None:
    hook = dict(checkpoint=dict(filename_tmpl='{:05d}.pth'))
    (tmp_path / 'teacher.pth').touch()
    with occupied(config(tmp_path, default_hooks=hook)):
        (tmp_path / '00001.pth').touch()
    with pytest.raises(WorkDirError, match=r'1 checkpoints of another'):
        trained(tmp_path, default_hooks=hook, randomness=dict(seed=1))


def test_the_same_experiment_begins_anew_and_goes_on(tmp_path: Path) -> None:
    trained(tmp_path)
    trained(tmp_path, val_dataloader=dict(num_workers=9), log_level='ERROR')
    trained(tmp_path, train_cfg=dict(max_iters=1, val_interval=5))
    longer = dict(train_cfg=dict(max_iters=9))
    trained(tmp_path, resume=True, load_from=str(tmp_path / 'iter_1.pth'), **longer)
    trained(tmp_path, **longer)
    with pytest.raises(WorkDirError, match='max_iters is 9'):
        trained(tmp_path, resume=True, load_from='elsewhere/iter_1.pth')


def test_checkpoints_without_a_record(tmp_path: Path) -> None:
    (tmp_path / 'epoch_1.pth').touch()
    with pytest.raises(WorkDirError, match=r'epoch_1\.pth .*no record'):
        trained(tmp_path)
    # The same config name: MMEngine's own training of it.
    (tmp_path / 'own.py').write_text('model = dict()')
    cfg = Config.fromfile(tmp_path / 'own.py')
    cfg.work_dir = str(tmp_path)
    with occupied(cfg):
        record = json.loads((tmp_path / RECORD).read_text())
    assert record['config'] == str(tmp_path / 'own.py')


@pytest.mark.parametrize('content', ['', '[1]', '{"experiment'])
def test_a_record_that_was_cut_off(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD).write_text(content)
    trained(tmp_path)
    assert json.loads((tmp_path / RECORD).read_text())['process'] == os.getpid()


def test_folders_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match=r'^work_dir: cannot write to the folder'):
        trained(tmp_path / 'file' / 'a')
    hooks = dict(checkpoint=dict(out_dir=str(tmp_path / 'file')))
    with pytest.raises(OSError, match=r'^default_hooks\.checkpoint\.out_dir: cann'):
        trained(tmp_path / 'a', default_hooks=hooks)
    remote = dict(checkpoint=dict(out_dir='s3://bucket/runs'))
    trained(tmp_path / 'a', default_hooks=remote)
