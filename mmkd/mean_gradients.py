"""Gradients averaged over processes."""

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce, all_reduce_params
from torch import Tensor, nn

BUCKET_MB = 25
"""Megabytes of gradients reduced in one message; PyTorch's default."""


def average_over_processes(
    parameters: Sequence[nn.Parameter], *gradients: list[Tensor | None]
) -> None:
    """Average gradients over all processes, in place, with one reduction each.

    As in PyTorch's data parallelism every parameter takes part, with zeros where
    a process did not reach it, so that all processes exchange the same tensors.
    A parameter that no process reached keeps None. The host blocks on the device
    only if this process left out a parameter.

    Args:
        parameters: The parameters of the gradients, the same in all processes.
        gradients: One or more gradients, each a tensor or None per parameter.
    """
    present = [
        any(part is not None for part in parts)
        for parts in zip(*gradients, strict=True)
    ]
    reached = torch.tensor(present, dtype=torch.int32)
    reached = reached.to(parameters[0].device, non_blocking=True)
    all_reduce(reached, 'max')
    for gradient in gradients:
        for index, parameter in enumerate(parameters):
            if gradient[index] is None:
                gradient[index] = torch.zeros_like(parameter)
        all_reduce_params(gradient, bucket_size_mb=BUCKET_MB, op='mean')
    if not all(present):
        for index, somewhere in enumerate(reached.tolist()):
            if not somewhere:
                for gradient in gradients:
                    gradient[index] = None
