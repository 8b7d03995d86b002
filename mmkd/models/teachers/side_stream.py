"""The teacher beside the student on a GPU, where one of them leaves room."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class SideStream:
    """A stream of its own for work whose results are needed later.

    On a processor, which has no streams, everything runs at once and in order.

    Source: PyTorch, "CUDA semantics", section "CUDA streams".
    """

    def __init__(self) -> None:
        self._stream: torch.cuda.Stream | None = None

    @contextmanager
    def beside(self, inputs: Tensor) -> Iterator[None]:
        """Run what is inside after what made the inputs, and beside what follows.

        Args:
            inputs: What the work reads.
        """
        if not inputs.is_cuda:
            yield
            return
        if self._stream is None:
            self._stream = torch.cuda.Stream(inputs.device)
        self._stream.wait_stream(torch.cuda.current_stream(inputs.device))
        # Else their memory might be given to others while it is still read.
        inputs.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            yield

    def join(self, results: Iterable[Tensor]) -> None:
        """Let what follows run after the work, whose results it may read.

        Args:
            results: Tensors that the work made.
        """
        if self._stream is None:
            return
        current = torch.cuda.current_stream(self._stream.device)
        current.wait_stream(self._stream)
        for tensor in results:
            tensor.record_stream(current)
