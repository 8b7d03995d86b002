"""Distillers in two processes and in one; as a script, this file starts the two."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dist import get_rank
from parallel_trial import Setting, Trial, difference, train
from small_models import STEPS, samples
from torch import distributed
from torch.multiprocessing import start_processes

from mmkd.engine import leave_processes

ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join([str(ROOT), str(ROOT / 'tests' / 'helpers')])
ALIGNED = 'mmkd.GradientAlignOptimWrapper'
DHKD = dict(dual_head=dict(type='DualHead'))
MHKD = dict(
    multi_head=dict(
        type='MultiHead',
        stages=('backbone.layer1', 'backbone.layer2'),
        head=dict(type='ConvClassifier', channels=8),
    ),
    kd=dict(type='LogitsKD'),
)
CRD = dict(crd=dict(type='CRD', channels=6, negatives=9))
# Regions only: pixels are sampled at random and compared within their own process.
CIRKD = dict(
    cirkd=dict(
        type='CIRKD',
        pixel_memory=0,
        region_memory=3,
        loss=dict(type='CIRKDLoss', batch_weight=0.0),
    )
)

SCALED = ('AmpOptimWrapper', 'mmkd.AmpGradientAlignOptimWrapper')
BFLOAT16 = dict(dtype='bfloat16', loss_scale=dict(enabled=False))
SETTINGS = {
    'DHKD': Setting(DHKD),
    'DHKD aligned': Setting(DHKD, ALIGNED),
    'DHKD aligned, per pixel': Setting(DHKD, ALIGNED, pixels=True),
    'DHKD aligned, per pixel, half without a class': Setting(
        DHKD, ALIGNED, pixels=True, unlabelled=0.5, limit=1e-2
    ),
    'DHKD from the sixth step on': Setting(DHKD, start=5),
    'DHKD aligned, clipped': Setting(DHKD, ALIGNED, dict(clip_grad=dict(max_norm=0.5))),
    'DHKD aligned, accumulated': Setting(DHKD, ALIGNED, micro_steps=2),
    'MHKD': Setting(MHKD),
    'MHKD aligned': Setting(MHKD, ALIGNED),
    'CRD': Setting(CRD),
    'CIRKD, regions': Setting(CIRKD, pixels=True),
    'DHKD, channels last': Setting(DHKD, channels_last=True),
    'DHKD aligned, per pixel, channels last': Setting(
        DHKD, ALIGNED, pixels=True, channels_last=True
    ),
    'DHKD aligned, float32': Setting(DHKD, ALIGNED, dtype=torch.float32, limit=1e-5),
    'DHKD, bfloat16': Setting(
        DHKD, SCALED[0], BFLOAT16, dtype=torch.float32, limit=1e-2
    ),
    'DHKD aligned, bfloat16': Setting(
        DHKD, SCALED[1], BFLOAT16, dtype=torch.float32, limit=1e-2
    ),
}


def overflow(wrapper: str, folder: Path) -> dict[str, Any]:
    """One update with an infinite gradient in the last process, and one without."""
    trial = Trial(Setting(DHKD, wrapper, dtype=torch.float32), folder)
    batches = samples()
    loss = trial.model.head.loss_module
    loss.loss_weight = 1e38 if get_rank() == 1 else 1.0
    trial.step(next(batches))
    result: dict[str, Any] = dict(
        scale=trial.optimiser.loss_scaler.get_scale(),
        kept=all(
            torch.equal(value, trial.first[name])
            for name, value in trial.learnt().items()
        ),
    )
    loss.loss_weight = 1.0
    trial.step(next(batches))
    return dict(result, state=trial.learnt())


def process(rank: int, folder: Path) -> None:
    distributed.init_process_group(
        'gloo', f'file://{folder / "meeting"}', rank=rank, world_size=2
    )
    results = {name: train(setting, folder) for name, setting in SETTINGS.items()}
    results |= {name: overflow(name, folder) for name in SCALED}
    torch.save(results, folder / f'{rank}.pth')
    leave_processes()


@pytest.fixture(scope='module')
def processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp('processes')
    script = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        env={**os.environ, 'PYTHONPATH': PATHS, 'OMP_NUM_THREADS': '1'},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        errors = script.communicate(timeout=600)[1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(script.pid, signal.SIGKILL)
    assert script.returncode == 0, errors
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


@pytest.mark.parametrize('name', SETTINGS)
def test_two_processes_equal_one_with_both_shares(
    processes: list[dict[str, Any]], name: str, tmp_path: Path
) -> None:
    setting, ours = SETTINGS[name], processes[0][name]['state']
    alone = train(setting._replace(micro_steps=1), tmp_path)
    distance = difference(ours, alone['state'])
    print(f'{name}: relative difference {distance:.1e}')
    assert distance < setting.limit
    kernel = 'backbone.conv1.weight'
    assert not torch.equal(alone['first'][kernel], alone['state'][kernel])
    for key, value in ours.items():
        assert torch.equal(processes[1][name]['state'][key], value), key


def test_alignment_acts(processes: list[dict[str, Any]]) -> None:
    plain, aligned = (processes[0][n]['state'] for n in ('DHKD', 'DHKD aligned'))
    assert difference(aligned, plain) > 1e-4


@pytest.mark.parametrize('name', SETTINGS)
def test_the_wrapper_reduces_once_an_update_or_leaves_it_to_alignment(
    processes: list[dict[str, Any]], name: str
) -> None:
    aligned = 'Align' in SETTINGS[name].wrapper
    assert processes[0][name]['reductions'] == (0 if aligned else STEPS)


@pytest.mark.parametrize('name', SCALED)
def test_an_overflow_in_one_process_skips_the_step_in_both(
    processes: list[dict[str, Any]], name: str
) -> None:
    for process in processes:
        assert process[name]['scale'] == 2.0**15
        assert process[name]['kept']
        for key, value in process[name]['state'].items():
            assert torch.equal(value, processes[0][name]['state'][key])


@pytest.mark.parametrize('wrapper', ['OptimWrapper', ALIGNED])
@pytest.mark.parametrize('methods', [DHKD, MHKD], ids=['DHKD', 'MHKD'])
def test_four_micro_steps_equal_one_step(
    methods: dict[str, Any], wrapper: str, tmp_path: Path
) -> None:
    setting = Setting(methods, wrapper)
    whole = train(setting, tmp_path)['state']
    parts = train(setting._replace(micro_steps=4), tmp_path)['state']
    distance = difference(parts, whole)
    print(f'relative difference {distance:.1e}')
    assert distance < setting.limit


if __name__ == '__main__':
    # Forked, so that slow imports happen only once.
    start_processes(process, (Path(sys.argv[1]),), nprocs=2, start_method='fork')
