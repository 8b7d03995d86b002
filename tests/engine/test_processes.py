import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMSeparateDistributedDataParallel
from torch import Tensor, distributed, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from mmkd.engine import (
    AnyDeviceDataParallel,
    end_with_launcher,
    join_processes,
    leave_processes,
    processes,
)
from mmkd.engine.data_parallel import learn_layout
from mmkd.registry import MODEL_WRAPPERS

TYPE = 'mmkd.AnyDeviceDataParallel'


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Requests for a process group, on a machine without CUDA."""
    asked = mock.Mock()
    monkeypatch.setattr(distributed, 'init_process_group', asked)
    monkeypatch.setattr(processes, 'get_device', lambda: 'cpu')
    return asked


def config(launcher: str = 'pytorch', **settings: Any) -> Config:
    dist_cfg = dict(backend='nccl', timeout=90)
    return Config(dict(launcher=launcher, env_cfg=dict(dist_cfg=dist_cfg)) | settings)


def test_processes_without_cuda_meet_over_gloo(joined: mock.Mock) -> None:
    cfg = config()
    join_processes(cfg)
    joined.assert_called_once_with('gloo', timeout=timedelta(seconds=90))
    assert cfg.model_wrapper_cfg == dict(type=TYPE, find_unused_parameters=False)


def test_what_the_config_says_stays(joined: mock.Mock) -> None:
    cfg = config(find_unused_parameters=True, env_cfg={})
    join_processes(cfg)
    joined.assert_called_once_with('gloo', timeout=None)
    assert cfg.model_wrapper_cfg.find_unused_parameters
    cfg = config(model_wrapper_cfg=dict(type='Mine'))
    join_processes(cfg)
    assert cfg.model_wrapper_cfg == dict(type='Mine')


@pytest.mark.parametrize(
    'kind',
    [
        dict(type='MMDistributedDataParallel'),
        dict(type='mmengine.model.MMDistributedDataParallel'),
        {},
    ],
)
def test_mmengines_data_parallelism_runs_on_cpus_with_its_settings(
    joined: mock.Mock, kind: dict[str, Any]
) -> None:
    settings = dict(detect_anomalous_params=True, find_unused_parameters=True)
    cfg = config(model_wrapper_cfg=kind | settings)
    join_processes(cfg)
    assert cfg.model_wrapper_cfg == dict(type=TYPE, **settings)
    cfg = config(strategy=dict(type='DDPStrategy', model_wrapper=kind))
    join_processes(cfg)
    assert cfg.strategy.model_wrapper == dict(type=TYPE)


def test_the_flexible_runner_gets_the_wrapper_by_its_strategy(
    joined: mock.Mock,
) -> None:
    cfg = config(strategy=dict(type='DDPStrategy'))
    join_processes(cfg)
    assert cfg.strategy.model_wrapper == dict(type=TYPE)
    assert 'model_wrapper_cfg' not in cfg


def test_one_process_and_gpus_are_left_to_the_engine(
    joined: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = config('none')
    join_processes(alone)
    monkeypatch.setattr(processes, 'get_device', lambda: 'cuda')
    several = config()
    join_processes(several)
    joined.assert_not_called()
    assert 'model_wrapper_cfg' not in alone
    assert 'model_wrapper_cfg' not in several


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(launcher='slurm'), ValueError, r"'slurm' needs CUDA.*dist_train\.sh"),
        (
            dict(strategy=dict(type='FSDPStrategy')),
            ValueError,
            "'FSDPStrategy' needs CUDA.*DDPStrategy",
        ),
        (
            dict(model_wrapper_cfg=dict(type='MMSeparateDistributedDataParallel')),
            ValueError,
            r'MMSeparate.* needs CUDA.* leave it out, or use mmkd\.AnyDevice',
        ),
        *(
            (dict(model_wrapper_cfg=dict(type=kind)), ValueError, 'needs CUDA devices')
            for kind in (
                'DataParallel',
                'mmengine.DistributedDataParallel',
                'torch.nn.parallel.DistributedDataParallel',
            )
        ),
        (
            dict(env_cfg=dict(dist_cfg=dict(timeout=0))),
            ValueError,
            'timeout must be a finite number of seconds above 0, got 0',
        ),
        (
            dict(env_cfg=dict(dist_cfg=dict(timeout=timedelta(seconds=9)))),
            TypeError,
            'timeout must be a number of seconds',
        ),
    ],
)
def test_what_cannot_run_on_cpus_is_refused(
    joined: mock.Mock, settings: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        join_processes(config(**settings))
    joined.assert_not_called()


@pytest.fixture
def group() -> Iterator[None]:
    store = distributed.HashStore()
    distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures('group')
def test_a_model_on_a_cpu_is_wrapped_with_batch_norm_for_synchronised_one() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.SyncBatchNorm(4))
    weight = model[1].weight
    wrapped = MODEL_WRAPPERS.build(dict(type=TYPE, module=model, device_ids=[0]))
    assert isinstance(wrapped, AnyDeviceDataParallel)
    assert wrapped.device_ids is None
    assert not wrapped.find_unused_parameters
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in wrapped.modules())
    wrapped(torch.ones(2, 3, 4, 4)).sum().backward()
    assert weight.grad is not None


@pytest.mark.usefixtures('group')
def test_a_change_of_layout_keeps_the_hooks_of_data_parallelism() -> None:
    calls = []

    def hook(_: None, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:
        calls.append(bucket)
        return allreduce_hook(None, bucket)

    model = nn.Conv2d(2, 2, 3)
    wrapped = AnyDeviceDataParallel(model)
    wrapped.register_comm_hook(None, hook)
    model.to(memory_format=torch.channels_last)
    learn_layout(wrapped)
    images = torch.randn(1, 2, 4, 4)
    wrapped(images).square().sum().backward()
    assert len(calls) == 1
    (expected,) = torch.autograd.grad(model(images).square().sum(), model.weight)
    torch.testing.assert_close(model.weight.grad, expected)


@pytest.mark.usefixtures('group')
def test_parts_that_are_wrapped_by_themselves_learn_their_layout() -> None:
    model = nn.ModuleDict(dict(a=nn.Conv2d(2, 2, 3), b=nn.Conv2d(2, 2, 3)))
    wrapped = MMSeparateDistributedDataParallel(model, device_ids=None)
    before = [part.reducer for part in wrapped.module.values()]
    learn_layout(wrapped)
    assert all(
        part.reducer is not reducer
        for part, reducer in zip(wrapped.module.values(), before, strict=True)
    )


@pytest.mark.usefixtures('group')
def test_a_process_group_of_its_own_cannot_learn_a_layout() -> None:
    wrapped = AnyDeviceDataParallel(
        nn.Conv2d(2, 2, 3), process_group=distributed.new_group([0])
    )
    with pytest.raises(ValueError, match=r'default_hooks\.layout=None'):
        learn_layout(wrapped)


def leave(rank: int, folder: Path) -> None:
    distributed.init_process_group(
        'gloo', f'file://{folder / "meeting"}', rank=rank, world_size=2
    )
    if rank == 0:
        time.sleep(1)
        (folder / 'student.pth').touch()
    leave_processes()
    assert (folder / 'student.pth').exists()
    assert not distributed.is_initialized()


def test_no_process_leaves_before_another_has_saved(tmp_path: Path) -> None:
    fork = multiprocessing.get_context('fork')
    processes = [fork.Process(target=leave, args=(rank, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def wait_for_the_end(connection: Connection) -> None:
    end_with_launcher()
    connection.send(os.getpid())
    time.sleep(600)


def start_a_process(connection: Connection) -> None:
    fork = multiprocessing.get_context('fork')
    process = fork.Process(target=wait_for_the_end, args=(connection,))
    process.start()
    process.join()


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux tells')
def test_what_a_killed_launcher_has_started_ends() -> None:
    fork = multiprocessing.get_context('fork')
    ours, theirs = fork.Pipe()
    launcher = fork.Process(target=start_a_process, args=(theirs,))
    launcher.start()
    theirs.close()
    worker = ours.recv()
    launcher.kill()
    launcher.join()
    # It keeps the other end of the connection open while it runs.
    assert ours.poll(30), f'process {worker} lives on'
    with pytest.raises(EOFError):
        ours.recv()


def test_a_gpu_is_passed_on() -> None:
    elsewhere = nn.Linear(2, 2, device='meta')
    with mock.patch.object(DistributedDataParallel, '__init__') as init:
        AnyDeviceDataParallel(elsewhere, device_ids=[3])
    assert init.call_args.kwargs == dict(
        module=elsewhere, device_ids=[3], broadcast_buffers=False
    )
