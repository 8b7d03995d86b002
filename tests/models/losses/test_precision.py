"""Whether float32 suffices: students trained with each loss in both precisions."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from mmkd.models import losses

STEPS, BATCH = 200, 16


def network(width: int, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    # Smooth: at a kink, the last digit would decide on which side a sample falls.
    layers = nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 5)
    return nn.Sequential(*layers).double()


def trained(name: str, scale: float, dtype: torch.dtype) -> Tensor:
    """The parameters of a student after its training in one precision."""
    teacher, student = network(32, 0), network(8, 1).to(dtype)
    loss = getattr(losses, name)()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.005 / scale, momentum=0.9)
    generator = torch.Generator().manual_seed(2)
    for _ in range(STEPS):
        inputs = torch.randn(BATCH, 6, generator=generator, dtype=torch.float64)
        logits = scale * 10 * teacher(inputs).detach()
        labels = [logits.argmax(1)] if name == 'DKDLoss' else []
        optimizer.zero_grad()
        loss(student(inputs.to(dtype)), logits.to(dtype), *labels).backward()
        optimizer.step()
    return vector(student)


def vector(model: nn.Module) -> Tensor:
    return parameters_to_vector(model.parameters()).detach().double()


@pytest.mark.parametrize('scale', [1.0, 20.0])
@pytest.mark.parametrize(
    'name',
    ['BinaryKLLoss', 'BinaryKLNormLoss', 'DKDLoss', 'DISTLoss', 'KLDivergenceLoss'],
)
def test_training_in_float32_ends_where_float64_does(name: str, scale: float) -> None:
    exact = trained(name, scale, torch.float64)
    moved = (exact - vector(network(8, 1))).norm()
    error = (trained(name, scale, torch.float32) - exact).norm()
    assert moved > 0.1
    assert error < 1e-5 * moved
