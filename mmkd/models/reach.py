"""Checking that the losses of a method reach the student."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mmkd.models.methods import Method
from mmkd.models.taps import Taps


def check_terms(
    name: str,
    method: Method,
    terms: Mapping[str, Tensor],
    student_taps: Taps,
) -> None:
    """Refuse a method without effect on the student.

    Args:
        name: The name of the method.
        method: The method.
        terms: What its loss returned.
        student_taps: What was captured in the student.

    Raises:
        TypeError: If ``terms`` is not a dict of tensors.
        ValueError: If no term is minimised, or none of those that are depends on
            a parameter of the student; the message names the taps.
    """
    called = f'methods.{name} ({type(method).__name__})'
    if not isinstance(terms, Mapping):
        raise TypeError(f'{called}: loss must return a dict of tensors, got {terms!r}.')
    for key, value in terms.items():
        if not isinstance(value, Tensor):
            raise TypeError(f'{called}: {key} must be a tensor, got {value!r}.')
    minimised = {key: value for key, value in terms.items() if 'loss' in key}
    if not minimised:
        raise ValueError(
            f'{called} returns nothing that is minimised: none of its values '
            f"{sorted(terms)} has 'loss' in its name."
        )
    if not torch.is_grad_enabled():
        return
    own = [student_taps[tap] for tap in method.taps_in_student]
    reached = [tensor for tensor in own if tensor.requires_grad]
    total = torch.stack([value.sum() for value in minimised.values()]).sum()
    if reached and total.requires_grad:
        gradients = torch.autograd.grad(
            total, reached, retain_graph=True, allow_unused=True
        )
        if any(gradient is not None for gradient in gradients):
            return
    places = [f'the {tap.kind} of {tap}' for tap in method.taps_in_student]
    raise ValueError(
        f'{called} teaches the student nothing: its loss has no gradient to a '
        'parameter of the student through '
        f'{", ".join(places) or "what it taps, which is nothing"}. Is this part frozen '
        '(frozen_stages), or recomputed by re-entrant checkpointing (with_cp)? Tap '
        'another module, or remove the method.'
    )
