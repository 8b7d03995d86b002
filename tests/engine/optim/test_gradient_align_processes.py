"""Several processes against one; as a script, this file is one of the processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper
from torch import Tensor, distributed, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.parallel import DistributedDataParallel

from mmkd.engine import (
    AmpGradientAlignOptimWrapper,
    GradientAlignOptimWrapper,
    leave_processes,
)
from mmkd.loss_groups import LossGroups, sum_of_groups

ROOT = Path(__file__).parents[3]
UPDATES, SIZE = 10, 4
SETTINGS = {
    'conflict': {},
    'harmony': dict(sign=1),
    'task alone': dict(distil=False),
    'clipped': dict(clip_grad=dict(max_norm=0.05)),
    'accumulated': dict(accumulative_counts=2),
}


class Net(nn.Module):
    """Two heads, a layer that few samples reach, and one that none reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(5, 6)
        self.main = nn.Linear(6, 3)
        self.auxiliary = nn.Linear(6, 3)
        self.rare = nn.Linear(6, 1)
        self.unused = nn.Linear(2, 2)

    def forward(self, images: Tensor, labels: Tensor, sign: float) -> list[Tensor]:
        feature = torch.tanh(self.backbone(images))
        shared = feature.square().mean()
        task = F.cross_entropy(self.main(feature), labels) + shared
        rare = images[:, 0] > 1
        if rare.any():
            task = task + self.rare(feature[rare]).square().sum() / len(images)
        return [task, self.auxiliary(feature).square().mean() + 3 * sign * shared]


def train(
    rank: int,
    world: int,
    sign: float = -1,
    distil: bool = True,
    accumulative_counts: int = 1,
    clip_grad: dict[str, float] | None = None,
) -> dict[str, Tensor]:
    """Train on this process's share of each batch, as MMEngine's models do."""
    torch.manual_seed(0)
    net: nn.Module = Net()
    wrapper = GradientAlignOptimWrapper(
        torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1),
        accumulative_counts=accumulative_counts,
        clip_grad=dict(clip_grad) if clip_grad else None,
    )
    parallel = DistributedDataParallel(net) if world > 1 else net
    cosines = []
    for images, labels in data(UPDATES * accumulative_counts):
        share = slice(rank * 2 * SIZE // world, (rank + 1) * 2 * SIZE // world)
        with wrapper.optim_context(parallel):
            task, distillation = parallel(images[share], labels[share], sign)
        groups = LossGroups(task, distillation if distil else None)
        wrapper.update_params(sum_of_groups(groups))
        cosines.append(torch.zeros(()) if wrapper.cosine is None else wrapper.cosine)
    return {**net.state_dict(), 'cosines': torch.stack(cosines)}


def data(count: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        images = torch.randn(2 * SIZE, 5, generator=generator)
        yield images, torch.randint(3, (2 * SIZE,), generator=generator)


def overflow(rank: int) -> list[float]:
    """Scales after an overflow in the second process only, and the step taken."""
    net = Net()
    before = net.main.weight.clone()
    with mock.patch.object(
        amp_optimizer_wrapper, 'GradScaler', partial(torch.amp.GradScaler, 'cpu')
    ):
        wrapper = AmpGradientAlignOptimWrapper(
            optimizer=torch.optim.SGD(net.parameters(), lr=0.1)
        )
    for images, labels in data(1):
        task, distillation = net(images, labels, -1)
        enlarged = distillation * (1e36 if rank == 1 else 1)
        wrapper.update_params(sum_of_groups(LossGroups(task, enlarged)))
    return [wrapper.loss_scaler.get_scale(), float((net.main.weight - before).norm())]


def main(rank: int, world: int, folder: Path) -> None:
    distributed.init_process_group(
        'gloo', f'file://{folder / "meeting"}', rank=rank, world_size=world
    )
    results: dict[str, object] = {}
    reductions: dict[str, int] = {}
    for name, settings in SETTINGS.items():
        with mock.patch(
            'torch.distributed.all_reduce', wraps=distributed.all_reduce
        ) as reduce:
            results[name] = train(rank, world, **settings)
        reductions[name] = reduce.call_count
    results.update(overflow=overflow(rank), reductions=reductions)
    torch.save(results, folder / f'{rank}.pth')
    leave_processes()


@pytest.fixture(scope='module')
def processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = tmp_path_factory.mktemp('processes')
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), '2', str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=300)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [p.returncode for p in started] == [0, 0], '\n'.join(errors)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


@pytest.mark.parametrize('name', SETTINGS)
def test_two_processes_equal_one_with_both_shares(
    processes: list[dict], name: str
) -> None:
    expected = train(0, 1, **SETTINGS[name])
    for key, value in expected.items():
        torch.testing.assert_close(processes[0][name][key], value, rtol=1e-5, atol=1e-7)
    assert (expected['cosines'][-1] < 0) == (name not in ('harmony', 'task alone'))


@pytest.mark.parametrize('name', SETTINGS)
def test_all_processes_take_the_same_decision(processes: list[dict], name: str) -> None:
    for key, value in processes[0][name].items():
        assert torch.equal(processes[1][name][key], value)


@pytest.mark.parametrize('name', SETTINGS)
def test_each_gradient_is_reduced_once_an_update(
    processes: list[dict], name: str
) -> None:
    gradients = 1 if name == 'task alone' else 2
    # And one message that says which parameters were reached.
    assert processes[0]['reductions'][name] == UPDATES * (gradients + 1)


def test_an_overflow_in_one_process_skips_the_step_in_all(
    processes: list[dict],
) -> None:
    assert processes[0]['overflow'] == processes[1]['overflow'] == [2.0**15, 0.0]


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
