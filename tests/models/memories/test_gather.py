"""Memories in one process and in two; as a script, this runs one of the two."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor, distributed

from mmkd.engine import leave_processes
from mmkd.models.memories import ClassQueue, ContrastMemory, gather

ROOT = Path(__file__).parents[3]
LABELS = torch.tensor([2, 0, 1, 2, 2, 0, 4, 1])


def run(rank: int, world: int) -> dict[str, Tensor]:
    """Run this process's share of three batches of five samples."""
    torch.manual_seed(rank)
    memory, queue = ContrastMemory(3, 0.5), ClassQueue(3, 4, 2)
    memory.prepare(LABELS)
    queue.rows.fill_(0)
    generator = torch.Generator().manual_seed(1)
    drawn = []
    for _ in range(3):
        rows = torch.randn(5, 3, generator=generator)
        indices = torch.randint(8, (5,), generator=generator)
        share = {(0, 1): slice(5), (0, 2): slice(3), (1, 2): slice(3, 5)}[rank, world]
        drawn.append(memory.draw(indices[share], 4))
        memory.update(rows[share], -rows[share], indices[share])
        valid = indices[share, None] % 3 == torch.arange(3)
        queue.push(rows[share, None, :2].expand(-1, 3, -1), valid)
    memory.normalizers(torch.tensor([1.0, 2.0]).log() * (1 + 2 * rank))
    return {
        **memory.state_dict(),
        **{f'queue.{name}': value for name, value in queue.state_dict().items()},
        'drawn': torch.cat(drawn),
    }


@pytest.mark.parametrize('backend', ['gloo', 'nccl'])
def test_two_processes_are_as_one(backend: str, tmp_path: Path) -> None:
    """Where processes meet on GPUs, sizes are exchanged in a group of hosts."""
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(tmp_path), backend],
            cwd=ROOT,
            env={**os.environ, 'PYTHONPATH': str(ROOT)},
        )
        for rank in range(2)
    ]
    assert [process.wait(300) for process in processes] == [0, 0]
    first, second = (
        torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in range(2)
    )
    alone = run(0, 1)
    batches = [
        torch.cat(pair)
        for pair in zip(first['drawn'].split(3), second['drawn'].split(2), strict=True)
    ]
    assert torch.equal(torch.cat(batches), alone['drawn'])
    for name in alone.keys() - {'drawn', 'log_normalizers'}:
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], alone[name])
    mean = torch.tensor([1.0, (2 + 2**3) / 2]).log()
    for state in (first, second):
        torch.testing.assert_close(state['log_normalizers'], mean)


if __name__ == '__main__':
    rank, folder, backend = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    with mock.patch.object(gather, 'get_backend', return_value=backend):
        torch.save(run(rank, 2), folder / f'{rank}.pth')
    assert gather._hosts.cache_info().currsize == 1
    assert (gather._hosts() is None) == (backend == 'gloo')
    leave_processes()
