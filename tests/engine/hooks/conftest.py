from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import Dataset

from mmkd.loss_groups import LossGroups, sum_of_groups
from mmkd.models import Distiller
from mmkd.models.methods import Schedule


class Images(Dataset):
    metainfo: ClassVar[dict] = dict(classes=('cat', 'dog', 'eel'))

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index)
        images = torch.randn(5, generator=generator)
        return dict(images=images, labels=torch.tensor(index % 3))


class Doubling(BaseDataPreprocessor):
    """Changes the batch in place, as padding of label maps does."""

    def forward(self, data: dict[str, Tensor], training: bool = False) -> dict:
        for image in data['images']:
            image *= 2
        return {name: torch.stack(values) for name, values in data.items()}


class TinyMethod(nn.Linear):
    """As much of a method as hooks see of one."""

    gradient_alignment = False
    schedule_factor = 1.0

    def __init__(self) -> None:
        super().__init__(6, 3)
        self.schedule = Schedule()


class TinyDistiller(Distiller):
    """As much of a distiller as hooks see of one."""

    def __init__(self) -> None:
        BaseModel.__init__(self, data_preprocessor=Doubling())
        self.backbone = nn.Sequential(
            nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5)
        )
        self.head = nn.ModuleDict(dict(fc=nn.Linear(6, 3)))
        self.teacher = SimpleNamespace(apply=lambda fn: None)
        self.student_view = SimpleNamespace(classifier='head.fc')
        self.methods = nn.ModuleDict(dict(dual_head=TinyMethod(), crd=TinyMethod()))
        self.register_buffer('memory', torch.zeros(6))
        self.active, self.one_head = True, True

    def forward(
        self, images: Tensor, labels: Tensor, mode: str = 'tensor'
    ) -> dict[str, Tensor]:
        feature = self.backbone(images)
        self.memory = 0.5 * self.memory + feature.detach().mean(0)
        logits = self.head['fc'](feature)
        head = self.methods['dual_head']
        losses = dict(loss_cls=F.cross_entropy(logits, labels))
        if self.active:
            target = 3 + np.random.rand()
            other = logits if self.one_head else head(feature)
            losses['distil'] = (other - target + self.memory.sum()).square().mean()
        return losses

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict]:
        groups = LossGroups(losses['loss_cls'], losses.get('distil'))
        return sum_of_groups(groups), losses


@pytest.fixture
def distiller() -> TinyDistiller:
    torch.manual_seed(0)
    return TinyDistiller()


@pytest.fixture
def runner_of(tmp_path: Path) -> Callable[..., Runner]:
    """Build a runner of a model for 2 epochs of 3 iterations."""

    def build(model: nn.Module, name: str = 'run', **settings: Any) -> Runner:
        defaults: dict[str, Any] = dict(
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                dataset=Images(),
                sampler=dict(type='DefaultSampler', shuffle=True),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
            randomness=dict(seed=0),
            experiment_name=f'{tmp_path.name}_{name}',
            log_level='ERROR',
        )
        return Runner(model, str(tmp_path / name), **(defaults | settings))

    return build
