"""BatchNorm for modules that exist only in training."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class _AnyBatch:
    """Uses the running statistics for a batch with one value per channel.

    The last batch of an epoch may contain one image, and a map one pixel. Such a
    batch has no variance; PyTorch's BatchNorm raises an error, although the student
    alone, whose maps are larger, would train.
    """

    def forward(self: Any, inputs: Tensor) -> Tensor:
        if not self.training or inputs.numel() > inputs.shape[1]:
            return super().forward(inputs)  # type: ignore[misc]
        return F.batch_norm(
            inputs,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            eps=self.eps,
        )


class BatchNorm1d(_AnyBatch, nn.BatchNorm1d):
    """PyTorch's, for any batch of vectors ``(N, C)``."""


class BatchNorm2d(_AnyBatch, nn.BatchNorm2d):
    """PyTorch's, for any batch of maps ``(N, C, H, W)``."""
