"""What it takes for a step of a student by itself and of the same one distilled."""

from typing import Any, NamedTuple

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

import mmkd.engine  # noqa: F401
from mmkd.registry import METHODS

SCOPES = dict(images='mmpretrain', pixels='mmseg')
KINDS: dict[str, dict[str, Any]] = {
    **{name: dict(type=name) for name in sorted(METHODS.module_dict)},
    'MultiHead': dict(type='MultiHead', stages=(0, 1)),
    'aligned': dict(type='DualHead', gradient_alignment=True),
}
"""Every method, with settings that fit the small models."""


def wrapper_of(model: nn.Module, kind: str = 'OptimWrapper', **settings: Any) -> Any:
    return build_optim_wrapper(
        model,
        dict(
            type=kind,
            optimizer=dict(type='SGD', lr=0.02, momentum=0.9),
            constructor='mmkd.DistillOptimWrapperConstructor',
            **settings,
        ),
    )


class Training(NamedTuple):
    """The arguments of a step."""

    network: nn.Module
    data: Any
    wrapper: Any

    def step(self) -> None:
        self.network.train_step(self.data, self.wrapper)


def alone_and_distilled(
    tiny: Any, task: str, name: str, device: torch.device | str
) -> list[Training]:
    """The student's own training and a distillation; skips where it has no meaning.

    Its teacher has the classes in another order, and normalises images differently.

    Args:
        tiny: The small models.
        task: Which of them.
        name: One of ``KINDS``.
        device: Where they run.
    """
    kind = METHODS.get(KINDS[name]['type'])
    if kind.only_for not in (None, task):
        pytest.skip(f'{kind.__name__} is only for {kind.only_for}')
    config = tiny.model(task, width=8)
    config['data_preprocessor'].update(mean=[100.0, 120.0, 140.0], std=[50.0] * 3)
    teacher = tiny.teacher(config) | dict(classes=[2, 0, 3, 1])
    model = tiny.distiller(task, dict(method=KINDS[name]), teacher=teacher)
    for method in model.named_methods.values():
        method.prepare(tiny.runner(model, task).train_dataloader.dataset)
    trainings = []
    with DefaultScope.overwrite_default_scope(SCOPES[task]):
        plain = tiny.plain(task)
    for network in (plain, model):
        network = network.to(device).train()
        data = tiny.batch(task)
        for sample, number in zip(data['data_samples'], range(9), strict=False):
            sample.set_metainfo(dict(sample_idx=number))
        trainings.append(Training(network, data, wrapper_of(network)))
    return trainings
