from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from tiny_trainings import distiller, runner_of, task, tiny
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmkd.resilience import protect
from mmkd.resilience.resume import choose_checkpoint

__all__ = ['distiller', 'runner_of', 'task', 'tiny']


class Numbers(Dataset):
    """Random samples; ``read`` counts those read in this process."""

    metainfo: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, size: int = 11) -> None:
        self.size = size
        self.read = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        self.read += 1
        noise = np.random.rand() + torch.rand(4)
        return dict(inputs=noise + index)


class Net(BaseModel):
    """A net with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1)
        )

    def forward(self, inputs: Any, mode: str = 'tensor') -> Any:
        outputs = self.layers(torch.stack(list(inputs)))
        return dict(loss=outputs.square().mean()) if mode == 'loss' else outputs


class Score(BaseMetric):
    """Rises and falls with the iterations of the training."""

    def process(self, *_: Any) -> None:
        self.results.append(np.random.rand())

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(acc=float(np.mean(results)))


@pytest.fixture
def validation() -> dict[str, Any]:
    """Settings of :func:`trainer` for validation on four samples."""
    loader = dict(
        batch_size=1,
        num_workers=0,
        dataset={},
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    return dict(val_cfg={}, val_dataloader=loader, val_evaluator={})


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., Runner]:
    """Build the runner of a tiny training, protected as in tools/train.py."""

    def build(
        name: str = 'run',
        by_epoch: bool = False,
        length: int = 8,
        resume: bool = False,
        data: Any = None,
        workers: int = 0,
        sampler: str = 'DefaultSampler',
        checkpoint: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Runner:
        torch.manual_seed(0)
        unit = 'max_epochs' if by_epoch else 'max_iters'
        reading = dict(num_workers=workers, persistent_workers=workers > 0)
        hook = dict(type='CheckpointHook', by_epoch=by_epoch, interval=2)
        defaults: dict[str, Any] = dict(
            work_dir=str(tmp_path / name),
            resume=resume,
            train_dataloader=dict(
                batch_size=3, dataset={}, sampler=dict(type=sampler), **reading
            ),
            train_cfg={'by_epoch': by_epoch, unit: length},
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
            default_hooks=dict(checkpoint={**hook, **(checkpoint or {})}),
            randomness=dict(seed=5),
            log_level='ERROR',
            experiment_name=f'{tmp_path.name}_{name}_{build.number}',
        )
        build.number += 1
        cfg = Config({**defaults, **settings})
        protect(cfg)
        choose_checkpoint(cfg)
        cfg = dict(cfg)
        cfg['train_dataloader']['dataset'] = data or Numbers()
        if cfg.get('val_dataloader'):
            cfg['val_dataloader']['dataset'] = Numbers(4)
            cfg['val_evaluator'] = Evaluator(Score())
        return Runner(model=Net(), **cfg)

    build.number = 0
    return build
