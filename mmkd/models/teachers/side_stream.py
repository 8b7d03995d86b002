"""Running the teacher alongside the student on a GPU, if one of them leaves room."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class SideStream:
    """A separate stream for work whose results are needed later.

    On a CPU, which has no streams, everything runs immediately and in order.

    Source: PyTorch, "CUDA semantics", section "CUDA streams".
    """

    def __init__(self) -> None:
        self._stream: torch.cuda.Stream | None = None

    @contextmanager
    def beside(self, inputs: Tensor) -> Iterator[None]:
        """Run the body after the inputs are ready, concurrently with what follows.

        Args:
            inputs: The tensor that the work reads.
        """
        if not inputs.is_cuda:
            yield
            return
        if self._stream is None:
            self._stream = torch.cuda.Stream(inputs.device)
        self._stream.wait_stream(torch.cuda.current_stream(inputs.device))
        # Otherwise their memory could be reused while it is still being read.
        inputs.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            yield

    def join(self, results: Iterable[Tensor]) -> None:
        """Make what follows wait for the work, so that it can read the results.

        Args:
            results: Tensors that the work produced.
        """
        if self._stream is None:
            return
        current = torch.cuda.current_stream(self._stream.device)
        current.wait_stream(self._stream)
        for tensor in results:
            tensor.record_stream(current)
