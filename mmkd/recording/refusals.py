"""Trainings whose views cannot be recorded, refused before recording starts."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS

from mmkd.checks.places import hooks_of
from mmkd.resilience.label_reading import leaves
from mmkd.resilience.start_checks import check_views

SWITCHES = ('SwitchRecipeHook', 'PipelineSwitchHook')
"""Hooks, with their subclasses, that change how samples are read during training."""


GENERATORS = (
    random.Random,
    np.random.Generator,
    np.random.RandomState,
    torch.Generator,
)
"""Types of generators that a view does not seed if a transform has its own."""


def refuse_unrepeatable(cfg: Config, loader: Any, preprocessor: Any) -> None:
    """Refuse a training whose views depend on more than seed, view and sample.

    Args:
        cfg: Its config.
        loader: Its loader.
        preprocessor: The student's data preprocessor.

    Raises:
        ValueError: If visits cannot be counted, images of a batch are mixed, a
            transform reads other samples, or the pipeline changes during training; the
            message names the cause.
    """
    check_views(loader, 1)
    reasons = [*_mixing(loader.dataset, preprocessor), *_switching(cfg)]
    if reasons:
        raise ValueError(
            f'the views of this training cannot be recorded: {"; ".join(reasons)}. '
            'Leave it out, or train with the live teacher.'
        )


def unrepeatable(dataset: Any, preprocessor: Any) -> ValueError:
    """The error about a view that was different when it was read again.

    Args:
        dataset: The training set.
        preprocessor: The student's data preprocessor.
    """
    names = ' and '.join(_own_generators([*_transforms(dataset), preprocessor]))
    cause = f' {names} draws from a generator of its own.' if names else ''
    return ValueError(
        'the views of this training cannot be recorded: a sample that is read twice as '
        f'the same view differs, so the pipeline is not repeatable.{cause} Draw only '
        'from the global generators of Python, NumPy and PyTorch, which are seeded for '
        'each view, or train with the live teacher.'
    )


def _own_generators(part: Any) -> Iterator[str]:
    if isinstance(part, (list, tuple)):
        for inner in part:
            yield from _own_generators(inner)
        return
    held = getattr(part, '__dict__', {})
    if any(isinstance(value, GENERATORS) for value in held.values()):
        yield type(part).__name__
    # Those that it wraps.
    yield from _own_generators(held.get('transforms', ()))


def _mixing(dataset: Any, preprocessor: Any) -> Iterator[str]:
    augments = getattr(preprocessor, 'batch_augments', None)
    if augments is not None:
        names = [type(each).__name__ for each in getattr(augments, 'augments', ())]
        yield (
            f'data_preprocessor.batch_augments ({", ".join(names) or "some"}) mixes '
            'images of one batch, which the seed of a view does not determine'
        )
    for transform in _transforms(dataset):
        # How MMEngine's libraries mark a transform that needs other samples.
        if hasattr(transform, 'get_indices') or hasattr(transform, 'get_indexes'):
            yield f'{type(transform).__name__} reads other samples'


def _transforms(dataset: Any) -> Iterator[Any]:
    """All transforms of a data set and of those that it wraps."""
    seen, waiting = set(), [dataset, *leaves(dataset)]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        steps = getattr(getattr(each, 'pipeline', None), 'transforms', None)
        steps = steps or getattr(each, 'pipeline', None)
        yield from steps if isinstance(steps, (list, tuple)) else ()
        waiting.append(getattr(each, 'dataset', None))


def _switching(cfg: Config) -> Iterator[str]:
    for hook in hooks_of(cfg).values():
        kind = (hook or {}).get('type')
        kind = HOOKS.get(kind) if isinstance(kind, str) else kind
        names = [base.__name__ for base in getattr(kind, '__mro__', ())]
        if not set(names).isdisjoint(SWITCHES):
            yield f'{names[0]} changes the pipeline during training'
