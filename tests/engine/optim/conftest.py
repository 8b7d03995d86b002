from collections.abc import Callable

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.loss_groups import LossGroups


class TwoHeads(nn.Module):
    """A backbone, a head for each loss, and a layer that neither loss reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(5, 6)
        self.main = nn.Linear(6, 3)
        self.auxiliary = nn.Linear(6, 3)
        self.unused = nn.Linear(2, 2)

    def losses(
        self, images: Tensor, labels: Tensor, conflict: bool = True
    ) -> LossGroups:
        feature = torch.tanh(self.backbone(images))
        shared = feature.square().mean()
        task = F.cross_entropy(self.main(feature), labels) + shared
        distillation = self.auxiliary(feature).square().mean()
        return LossGroups(task, distillation + (-3 if conflict else 3) * shared)

    def gradient(self, loss: Tensor) -> Tensor:
        """One float64 vector over all parameters."""
        parameters = list(self.parameters())
        gradients = torch.autograd.grad(
            loss, parameters, retain_graph=True, allow_unused=True
        )
        filled = [
            torch.zeros_like(p) if g is None else g
            for p, g in zip(parameters, gradients, strict=True)
        ]
        return torch.cat([g.flatten() for g in filled]).double()

    def aligned(self, groups: LossGroups) -> Tensor:
        """The published procedure: flatten, project, add."""
        first = self.gradient(groups.task)
        second = self.gradient(groups.distillation)
        if first @ second < 0:
            second = second - (first @ second) / (first @ first) * first
        return first + second


@pytest.fixture
def net() -> TwoHeads:
    torch.manual_seed(0)
    return TwoHeads()


@pytest.fixture
def batches() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(4, 5, generator=generator),
            torch.randint(3, (4,), generator=generator),
        )
        for _ in range(10)
    ]


@pytest.fixture
def stepped() -> Callable[[OptimWrapper], list[Tensor]]:
    """Record the gradient that a wrapper's optimiser sees at each step."""

    def record_into(wrapper: OptimWrapper) -> list[Tensor]:
        seen: list[Tensor] = []

        def record(optimizer: torch.optim.Optimizer, *_: object) -> None:
            gradients = [
                torch.zeros_like(p) if p.grad is None else p.grad
                for group in optimizer.param_groups
                for p in group['params']
            ]
            seen.append(torch.cat([g.flatten() for g in gradients]).double())

        wrapper.optimizer.register_step_pre_hook(record)
        return seen

    return record_into
