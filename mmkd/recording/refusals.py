"""Trainings whose views cannot be recorded, told before anything is."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import HOOKS

from mmkd.checks.places import hooks_of
from mmkd.resilience.label_reading import leaves
from mmkd.resilience.start_checks import check_views

SWITCHES = ('SwitchRecipeHook', 'PipelineSwitchHook')
"""Hooks that change how samples are read while a training runs, and those of them."""


def refuse_unrepeatable(cfg: Config, loader: Any, preprocessor: Any) -> None:
    """Refuse a training whose views do not follow from seed, view and sample alone.

    Args:
        cfg: Its config.
        loader: Its loader.
        preprocessor: The student's data preprocessor.

    Raises:
        ValueError: If samples have no visits to count, images of a batch are mixed or
            other samples read, or the pipeline changes on the way; the message names
            what does.
    """
    check_views(loader, 1)
    reasons = [*_mixing(loader.dataset, preprocessor), *_switching(cfg)]
    if reasons:
        raise ValueError(
            f'the views of this training cannot be recorded: {"; ".join(reasons)}. '
            'Leave it out, or train with the teacher beside the student.'
        )


def _mixing(dataset: Any, preprocessor: Any) -> Iterator[str]:
    augments = getattr(preprocessor, 'batch_augments', None)
    if augments is not None:
        names = [type(each).__name__ for each in getattr(augments, 'augments', ())]
        yield (
            f'data_preprocessor.batch_augments ({", ".join(names) or "some"}) mixes '
            'images of one batch, whose partners no seed of a view fixes'
        )
    for transform in _transforms(dataset):
        # How MMEngine's libraries mark a transform that asks for other samples.
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
            yield f'{names[0]} changes the pipeline while the training runs'
