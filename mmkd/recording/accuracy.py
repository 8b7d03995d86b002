"""The error of each loss and its gradient caused by storing the teacher's values."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmkd.models.distiller import Distiller
from mmkd.models.methods import Method
from mmkd.models.taps import Tap, capture
from mmkd.models.teachers.recorded import tap_name
from mmkd.models.undisturbed import undisturbed
from mmkd.random_state import random_state_kept
from mmkd.recording.recorder import Seen
from mmkd.records.stored import StoredTap


class Error(NamedTuple):
    """How far a method's loss with stored values is from that with the live teacher.

    Attributes:
        method: The name of the method.
        loss: The loss with the live teacher.
        of_loss: The relative difference of the loss.
        of_gradient: The norm of the difference of the gradients with respect to the
            student's taps, divided by the norm of the gradient.
    """

    method: str
    loss: float
    of_loss: float
    of_gradient: float


def errors(
    distiller: Distiller, seen: Seen, taps: list[StoredTap]
) -> Iterator[Error]:
    """Compare each method's loss with and without storing.

    Args:
        distiller: The distiller; it is left as it was.
        seen: The values of its teacher for a batch.
        taps: How they would be stored.
    """
    by_name = {tap.name: tap for tap in taps}
    stored = {
        tap: _through(by_name[tap_name(tap)], value)
        if tap_name(tap) in by_name
        else value
        for tap, value in seen.values.items()
    }
    with undisturbed(distiller):
        student = _student_taps(distiller, seen)
        targets = distiller.student_view.task.targets(seen.data_samples)
        for name, method in distiller.named_methods.items():
            results = []
            for teacher in (seen.values, stored):
                # Both with the same memory and the same random numbers.
                with (
                    random_state_kept(seen.inputs.device),
                    undisturbed(method),
                    torch.enable_grad(),
                ):
                    terms = method.loss(student, teacher, targets)
                    losses = [v for k, v in terms.items() if 'loss' in k]
                    loss = torch.stack(losses).sum()
                    results.append((loss, _gradient(method, loss, student)))
            (live, expected), (found, gradient) = results
            yield Error(
                name,
                live.item(),
                float((found - live).abs() / live.abs()),
                float((gradient - expected).norm() / expected.norm()),
            )


def _through(tap: StoredTap, value: Tensor) -> Tensor:
    """A value as it would be read back."""
    parts = {name: torch.from_numpy(part) for name, part in tap.encode(value).items()}
    return tap.decode(parts).to(value)


def _student_taps(distiller: Distiller, seen: Seen) -> dict[Tap, Tensor]:
    methods = distiller.named_methods.values()
    taps = {tap for method in methods for tap in method.taps_in_student}
    with (
        torch.no_grad(),
        capture(distiller, taps, image_size=seen.inputs.shape[2:]) as values,
    ):
        # The student's own forward pass, without methods.
        student: Any = super(Distiller, distiller)
        student.forward(seen.inputs, seen.data_samples, mode='loss')
    return {tap: value.detach().requires_grad_() for tap, value in values.items()}


def _gradient(
    method: Method, loss: Tensor, student: Mapping[Tap, Tensor]
) -> Tensor:
    tapped = [student[tap] for tap in method.taps_in_student]
    found = torch.autograd.grad(loss, tapped, materialize_grads=True)
    return torch.cat([each.flatten() for each in found])
