"""What only a GPU shows; skipped without one."""

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from steps import KINDS, alone_and_distilled, wrapper_of
from tiny_models import Tiny, task, tiny
from torch import Tensor, distributed, nn

import mmkd.engine  # noqa: F401

__all__ = ['task', 'tiny']
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')

ROOT = Path(__file__).parents[1]
UPDATES = 10
ALIGNED = dict(dual_head=dict(type='DualHead', gradient_alignment=True))
PLAIN = dict(dual_head=dict(type='DualHead'), kd=dict(type='LogitsKD'))
methods = pytest.mark.parametrize('methods', [PLAIN, ALIGNED], ids=['plain', 'aligned'])


def _exact() -> None:
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(autouse=True)
def _always_exact() -> Iterator[None]:
    _exact()
    yield
    torch.use_deterministic_algorithms(False)


def learnt(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@methods
def test_half_precision_teaches_what_float32_does(
    tiny: Any, task: str, methods: dict[str, Any]
) -> None:
    moved = {}
    for kind in ('OptimWrapper', 'AmpOptimWrapper'):
        model = tiny.distiller(task, methods).cuda().train()
        # A scale that half precision holds from the first step on.
        scale = {} if kind == 'OptimWrapper' else dict(loss_scale=dict(init_scale=64.0))
        before, wrapper = learnt(model), wrapper_of(model, kind, **scale)
        for number in range(UPDATES):
            model.train_step(tiny.batch(task, number), wrapper)
        moved[kind] = learnt(model) - before
    whole, half = moved.values()
    assert (half - whole).norm() < 0.2 * whole.norm()


@methods
def test_a_scale_that_overflows_is_lowered_and_moves_nothing(
    tiny: Any, task: str, methods: dict[str, Any]
) -> None:
    model = tiny.distiller(task, methods).cuda().train()
    wrapper = wrapper_of(model, 'AmpOptimWrapper', loss_scale=dict(init_scale=2.0**80))
    before = learnt(model)
    model.train_step(tiny.batch(task), wrapper)
    assert wrapper.loss_scaler.get_scale() == 2.0**79
    assert torch.equal(learnt(model), before)


@methods
def test_a_resumed_training_in_half_precision_is_the_same(
    tiny: Any, methods: dict[str, Any]
) -> None:
    settings: dict[str, Any] = dict(
        optim_wrapper=dict(
            type='AmpOptimWrapper',
            optimizer=dict(type='SGD', lr=0.02, momentum=0.9),
            constructor='mmkd.DistillOptimWrapperConstructor',
        ),
        randomness=dict(seed=0, deterministic=True),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
    )
    whole = tiny.runner(tiny.distiller('images', methods), name='whole', **settings)
    whole.train()
    resumed = tiny.runner(
        tiny.distiller('images', methods),
        name='resumed',
        load_from=str(Path(whole.work_dir, 'epoch_1.pth')),
        resume=True,
        **settings,
    )
    resumed.train()
    assert torch.equal(learnt(resumed.model), learnt(whole.model))


def waits(step: Callable[[], Any]) -> list[str]:
    """Where a step waits for the GPU."""
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return [
        f'{w.filename}:{w.lineno}' for w in seen if 'synchron' in str(w.message).lower()
    ]


@pytest.mark.parametrize('name', KINDS)
def test_a_step_waits_for_the_gpu_no_more_than_the_students_own(
    tiny: Any, task: str, name: str
) -> None:
    found = []
    for training in alone_and_distilled(tiny, task, name, 'cuda'):
        training.step()
        found.append(waits(training.step))
    assert len(found[1]) <= len(found[0]), found


def share(rank: int, world: int, folder: Path) -> None:
    """Train on this process's share of each batch; the state goes to a file."""
    torch.set_default_dtype(torch.float64)
    tiny = Tiny(folder / str(rank))
    tiny.folder.mkdir()
    if world > 1:
        distributed.init_process_group(
            'gloo', f'file://{folder}/meet', rank=rank, world_size=world
        )
    student = tiny.model('pixels')
    student['backbone']['norm_cfg'] = dict(type='SyncBN' if world > 1 else 'BN')
    student.pop('auxiliary_head')
    student['decode_head']['norm_cfg'] = None
    model = tiny.distiller('pixels', ALIGNED, student=student).cuda().train()
    parallel = MMDistributedDataParallel(model, [0]) if world > 1 else model
    wrapper = wrapper_of(parallel)
    size = 4 // world
    for number in range(UPDATES):
        batch = tiny.batch('pixels', number, count=4, ignored=0.0)
        part = slice(rank * size, (rank + 1) * size)
        parallel.train_step({k: v[part] for k, v in batch.items()}, wrapper)
    torch.save(model.cpu().state_dict(), folder / f'state_{rank}.pth')
    if world > 1:
        distributed.barrier()
        distributed.destroy_process_group()


def test_synchronised_batch_norm_in_two_processes_is_one(tmp_path: Path) -> None:
    states = {}
    for world in (1, 2):
        folder = tmp_path / str(world)
        folder.mkdir()
        path = os.pathsep.join([str(ROOT), str(ROOT / 'tests/helpers')])
        started = [
            subprocess.Popen(
                [sys.executable, __file__, str(rank), str(world), str(folder)],
                env={**os.environ, 'PYTHONPATH': path + os.pathsep + _inherited()},
            )
            for rank in range(world)
        ]
        assert [process.wait(120) for process in started] == [0] * world
        states[world] = torch.load(folder / 'state_0.pth')
    for name, whole in states[1].items():
        difference = (states[2][name].double() - whole.double()).norm()
        assert difference <= 1e-9 * whole.double().norm(), name


def _inherited() -> str:
    return os.environ.get('PYTHONPATH', '')


if __name__ == '__main__':
    share(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
