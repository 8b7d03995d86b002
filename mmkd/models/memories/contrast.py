"""CRD's memory of every training sample."""

import math
from typing import Any

import torch
from mmengine.dist import all_gather, broadcast, get_rank
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmkd.keyed_numbers import uniforms
from mmkd.models.memories.gather import rows_of_processes


class ContrastMemory(nn.Module):
    """The student's and the teacher's embedding of every training sample.

    All processes have the same memory, draw the same negatives for the whole
    batch and each take their own share, so the split of a batch over processes
    does not matter. Embeddings, normalisers and the state of the draw are part
    of the checkpoint.

    Args:
        channels: Width of the embeddings.
        momentum: Share of an entry that is kept when its sample is seen.

    Attributes:
        student: The student's embeddings ``(M, channels)`` of unit length,
            empty before :meth:`prepare`.
        teacher: The teacher's.
        log_normalizers: ``log Z`` of the student's and the teacher's anchors,
            ``(2,)``; nan before :meth:`normalizers`.
    """

    student: Tensor
    teacher: Tensor
    log_normalizers: Tensor
    seed: Tensor
    labels: Tensor
    order: Tensor
    sizes: Tensor

    def __init__(self, channels: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('student', torch.empty(0, channels))
        self.register_buffer('teacher', torch.empty(0, channels))
        self.register_buffer('log_normalizers', torch.full((2,), math.nan))
        self.register_buffer('seed', torch.zeros((), dtype=torch.int64))
        for name in ('labels', 'order', 'sizes'):
            empty = torch.empty(0, dtype=torch.int64)
            self.register_buffer(name, empty, persistent=False)

    def prepare(self, labels: Tensor) -> None:
        """Store the training set's classes, and adopt its size if that is new.

        Args:
            labels: The class of every training sample, int64 ``(M,)``.

        Raises:
            ValueError: If there are fewer than two classes: negatives come from
                other classes.
        """
        self.labels = labels.to(self.seed.device)
        self.sizes = self.labels.bincount()
        if (self.sizes > 0).sum() < 2:
            raise ValueError(
                'negatives are samples of other classes, but all '
                f'{len(labels)} training samples are of one class.'
            )
        self.order = self.labels.argsort(stable=True)
        if len(self.student) != len(labels):
            self._resize(len(labels))
            bound = math.sqrt(3 / self.student.shape[1])
            for memory in (self.student, self.teacher):
                broadcast(memory.uniform_(-bound, bound))
            broadcast(self.seed.random_(2**31))
            self.log_normalizers.fill_(math.nan)

    def _resize(self, count: int) -> None:
        # In place: data parallelism keeps references to the buffers it wrapped.
        for memory in (self.student, self.teacher):
            memory.resize_(count, memory.shape[1])

    def draw(self, indices: Tensor, count: int) -> Tensor:
        """Draw negatives, each independently from all samples of other classes.

        Args:
            indices: The samples of this process's batch, ``(N,)``.
            count: Negatives per sample.

        Returns:
            Rows of the memory, ``(N, 1 + count)``: the sample's own first.
        """
        parts = rows_of_processes(indices)
        total = sum(map(len, parts))
        numbers = uniforms(self.seed.view(1), total * count).view(-1, count)
        first = sum(len(part) for part in parts[: get_rank()])
        numbers = numbers[first : first + len(indices)]
        labels = self.labels[indices].unsqueeze(1)
        own = self.sizes[labels]
        # Samples are ordered by class: skip the range of the sample's own class.
        start = self.sizes.cumsum(0)[labels] - own
        place = (numbers * (len(self.labels) - own)).long()
        place = place + own * (place >= start)
        return torch.cat([indices.unsqueeze(1), self.order[place]], 1)

    def normalizers(self, estimate: Tensor) -> Tensor:
        """``log Z`` of the first batch, averaged over all processes.

        The first call stores it, without a branch: that would block on the GPU.

        Args:
            estimate: The estimate from this batch and process, ``(2,)``.

        Returns:
            A copy of the stored value.
        """
        everyone = torch.stack(all_gather(estimate))
        mean = everyone.logsumexp(0) - math.log(len(everyone))
        kept = self.log_normalizers
        return kept.copy_(mean.where(kept.isnan(), kept)).clone()

    @torch.no_grad()
    def update(self, student: Tensor, teacher: Tensor, indices: Tensor) -> None:
        """Move the entries of a batch towards its new embeddings.

        Args:
            student: The student's embeddings ``(N, channels)``.
            teacher: The teacher's.
            indices: The samples they belong to, ``(N,)``.
        """
        rows = torch.cat(rows_of_processes(indices))
        # A sample that occurs twice gets the same entry both times, its last one.
        places = torch.arange(len(rows), device=rows.device)
        last = rows.new_zeros(len(self.student)).scatter_reduce(0, rows, places, 'amax')
        last = last[rows]
        views = torch.cat(rows_of_processes(torch.stack([student, teacher], 1)))
        for memory, fresh in zip(
            (self.student, self.teacher), views[last].unbind(1), strict=True
        ):
            kept = memory[rows]
            moved = normalize(self.momentum * kept + (1 - self.momentum) * fresh)
            # A half-precision step that overflows is skipped: it must leave no trace.
            finite = moved.isfinite().all(1, keepdim=True)
            memory[rows] = moved.where(finite, kept)
        self.seed.add_(1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        saved = state_dict.get(f'{prefix}student')
        if saved is not None and not len(self.student):
            self._resize(len(saved))
        if saved is not None and len(saved) != len(self.student):
            # Of another training set, as are the normalisers.
            for name in self.state_dict():
                state_dict.pop(f'{prefix}{name}', None)
        super()._load_from_state_dict(state_dict, prefix, *args)
