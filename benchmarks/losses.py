"""Rows of losses: on large logit maps, against one pass over their inputs."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from benchmarks.rounds import Form, in_turns, timed
from benchmarks.table import Row, row
from mmkd.models.losses import (
    BinaryKLLoss,
    BinaryKLNormLoss,
    ChannelWiseDivergenceLoss,
    KLDivergenceLoss,
)

SHAPE = (2, 19, 512, 1024)
"""Images, classes, height and width of a batch of Cityscapes' crops."""

IGNORED = 8
"""One in so many rows of pixels has no class, as in Cityscapes the car's bonnet."""

LOSSES = {
    'BinaryKL-Norm': BinaryKLNormLoss(),
    'KL': KLDivergenceLoss(),
    'CWD': ChannelWiseDivergenceLoss(),
    'BinaryKL': BinaryKLLoss(),
}
BAR, WITHOUT_BAR = 1.5, 'BinaryKL'
PASS = 'one pass'


def rows(
    rounds: int, device: str = 'cpu', shape: tuple[int, ...] = SHAPE
) -> Iterator[Row]:
    """Measure the forward and backward pass of each loss.

    The pass over both inputs is PyTorch's mean squared error, forward and backward:
    one subtraction and one product at each element. The losses get a mask of the pixels
    that count, as a training passes it.

    Args:
        rounds: How often the losses take turns.
        device: ``'cpu'`` or ``'cuda'``.
        shape: Shape of the logits.
    """
    student = torch.randn(shape, device=device, requires_grad=True)
    teacher = torch.randn(shape, device=device)
    mask = torch.ones(shape[:1] + shape[2:], dtype=torch.bool, device=device)
    mask[:, -shape[2] // IGNORED :] = False

    def form(loss: Callable[[Tensor, Tensor], Tensor]) -> Form:
        def step() -> None:
            student.grad = None
            loss(student, teacher).backward()

        return timed(step, device)

    forms = {name: form(partial(loss, mask=mask)) for name, loss in LOSSES.items()}
    forms[PASS] = form(mse_loss)
    times = in_turns(forms, rounds)
    for name in LOSSES:
        ratios = [seconds[name] / seconds[PASS] for seconds in times]
        yield row(
            f'{name}, forward and backward ÷ one pass',
            'x'.join(map(str, shape)),
            ratios,
            None if name == WITHOUT_BAR else BAR,
        )
