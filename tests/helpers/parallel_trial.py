"""A distiller in training: what several processes and one are compared by."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import torch
from mmengine.dist import get_rank, get_world_size
from small_models import BATCH, Images, classifier, samples, segmentor
from torch import Tensor, distributed, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from mmkd.engine import AnyDeviceDataParallel
from mmkd.engine.hooks import ChannelsLastHook
from mmkd.models import Distiller, build_model
from mmkd.registry import OPTIM_WRAPPERS


class Setting(NamedTuple):
    """What is trained and how, and how much one process may differ from two.

    The difference is the norm of that of all parameters, relative to theirs.
    """

    methods: dict[str, Any]
    wrapper: str = 'OptimWrapper'
    options: dict[str, Any] = {}  # noqa: RUF012
    micro_steps: int = 1
    pixels: bool = False
    unlabelled: float = 0.0
    start: int = 0
    dtype: torch.dtype = torch.float64
    limit: float = 1e-9
    channels_last: bool = False


def distiller(setting: Setting, folder: Path) -> Distiller:
    make = segmentor if setting.pixels else classifier
    checkpoint = folder / f'teacher_{setting.pixels}_{os.getpid()}.pth'
    torch.manual_seed(1)
    torch.save(build_model(make(8)).state_dict(), checkpoint)
    torch.manual_seed(0)
    model = Distiller(
        student=make(4),
        teacher=dict(config=make(8), checkpoint=str(checkpoint)),
        methods=setting.methods,
    )
    for method in model.methods.values():
        method.prepare(Images())
    return model


def frozen(model: nn.Module) -> nn.Module:
    """In training mode, but with BatchNorm's statistics fixed."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model


class Trial:
    """A distiller in training, and how often its wrapper reduced gradients."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting = setting
        self.model = distiller(setting, folder)
        frozen(self.model)
        with gradient_scaler_for_cpus():
            self.optimiser = OPTIM_WRAPPERS.build(
                dict(
                    type=setting.wrapper,
                    optimizer=torch.optim.SGD(
                        self.model.parameters(), lr=0.05, momentum=0.9
                    ),
                    accumulative_counts=setting.micro_steps,
                    **setting.options,
                )
            )
        self.first = self.learnt()
        self.reductions = 0
        self.parallel: Any = self.model
        if get_world_size() > 1:
            # As the runner does, on GPUs and on CPUs alike.
            self.parallel = AnyDeviceDataParallel(self.model, device_ids=[0])
            self.parallel.register_comm_hook(None, self._counted)
        if setting.channels_last:
            ChannelsLastHook().before_train(
                SimpleNamespace(model=self.parallel, optim_wrapper=self.optimiser)
            )
            assert any(
                p.dim() == 4 and not p.is_contiguous() for p in self.model.parameters()
            )

    def learnt(self) -> dict[str, Tensor]:
        """Parameters and memories."""
        fixed = 'running_', 'num_batches', 'data_preprocessor'
        state = self.model.state_dict()
        return {
            name: value.clone()
            for name, value in state.items()
            if not any(word in name for word in fixed)
        }

    def _counted(
        self, _: None, bucket: distributed.GradBucket
    ) -> torch.futures.Future[Tensor]:
        self.reductions += bucket.is_last()
        return allreduce_hook(None, bucket)

    def step(self, batch: dict[str, list[Any]]) -> None:
        """Train on this process's share of a batch."""
        size = BATCH // get_world_size() // self.setting.micro_steps
        for number in range(self.setting.micro_steps):
            first = (number * get_world_size() + get_rank()) * size
            share = {name: v[first : first + size] for name, v in batch.items()}
            self.parallel.train_step(share, self.optimiser)


@contextmanager
def gradient_scaler_for_cpus() -> Iterator[None]:
    """Let MMEngine's wrapper scale without a GPU."""
    scaler = 'mmengine.optim.optimizer.amp_optimizer_wrapper.GradScaler'
    with mock.patch(scaler, partial(torch.amp.GradScaler, 'cpu')):
        yield


def train(setting: Setting, folder: Path) -> dict[str, Any]:
    """Ten updates; what they end with."""
    torch.set_default_dtype(setting.dtype)
    try:
        trial = Trial(setting, folder)
        for number, batch in enumerate(samples(setting.pixels, setting.unlabelled)):
            for method in trial.model.methods.values():
                method.schedule_factor = float(number >= setting.start)
            trial.step(batch)
    finally:
        torch.set_default_dtype(torch.float32)
    return dict(first=trial.first, state=trial.learnt(), reductions=trial.reductions)


def difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """That of all parameters as one vector, relative to their norm."""

    def vector(state: dict[str, Tensor]) -> Tensor:
        return torch.cat([value.double().flatten() for value in state.values()])

    return float((vector(ours) - vector(theirs)).norm() / vector(theirs).norm())
