"""Checks of data and loops before the first iteration."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dist import all_gather_object, get_world_size
from mmengine.registry import DATASETS
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmkd.models.class_names import keys, names_of, renamed, shown
from mmkd.resilience.loader import batch_number
from mmkd.resilience.views import Visits

ALIKE_ON_PURPOSE = ('RepeatAugSampler',)
"""Samplers that may give processes the same image, to be augmented differently."""


def check_shares(runner: Runner) -> None:
    """Check that processes split the images and end their epochs together.

    All processes must call it.

    Raises:
        ValueError: If they do not; the message says what to change.
    """
    if get_world_size() == 1:
        return
    loader = runner.train_dataloader
    batches = getattr(loader, 'batch_sampler', None)
    sampler = getattr(batches, 'sampler', batches)
    name = type(sampler).__name__
    firsts = all_gather_object(None if batches is None else batch_number(loader, 0))
    alike = firsts[0] is not None and all(first == firsts[0] for first in firsts)
    # With fewer images than processes, some have to see the same.
    alike = alike and len(loader.dataset) >= get_world_size()
    if type(sampler).__module__ == 'torch.utils.data.sampler' or (
        alike and name not in ALIKE_ON_PURPOSE
    ):
        raise ValueError(
            f'train_dataloader.sampler: {name} gives each of the {get_world_size()} '
            "processes the same images. Use sampler=dict(type='DefaultSampler', "
            'shuffle=True), which splits them between the processes.'
        )
    sizes = all_gather_object(size_of(loader.dataset))
    if len(set(sizes)) > 1:
        raise ValueError(
            f'the processes find different training sets, of {sizes} images: the same '
            'files must be on every machine.'
        )
    counts = all_gather_object(size_of(loader))
    if isinstance(runner.train_loop, EpochBasedTrainLoop) and len(set(counts)) > 1:
        raise ValueError(
            f'the processes have {counts} batches per epoch: those with more would '
            'wait forever for the others. Remove round_up=False from '
            'train_dataloader.sampler.'
        )


def check_length(loop: Any) -> None:
    """Refuse a training that ends before its first iteration.

    Args:
        loop: One of MMEngine's training loops; the guard checks for an empty data set.

    Raises:
        ValueError: If there is no full batch, the number of iterations or epochs is
            below 1, or the validation interval is.
    """
    loader = loop.dataloader
    images = size_of(loader.dataset)
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    if by_epoch and images and size_of(loader) == 0:
        raise ValueError(
            f'train_dataloader has no batch: drop_last drops batches smaller than '
            f'batch_size={loader.batch_size}, and a process has no more than '
            f'{size_of(loader.sampler)} of the {images} images. Lower batch_size, or '
            'set drop_last=False.'
        )
    length = loop.max_epochs if by_epoch else loop.max_iters
    if length <= 0:
        raise ValueError(
            f'train_cfg.max_{"epochs" if by_epoch else "iters"} must be at least 1, '
            f'got {length}: nothing would be trained.'
        )
    if loop.val_interval < 1:
        raise ValueError(
            f'train_cfg.val_interval must be at least 1, got {loop.val_interval}. '
            'Set val_dataloader, val_cfg and val_evaluator to None for no validation.'
        )


def check_views(loader: Any, views: int | None) -> None:
    """Refuse an invalid number of views, or a sampler whose visits cannot be counted.

    Args:
        loader: The training loader.
        views: Number of views of each sample; None for no limit.

    Raises:
        ValueError: If it is less than 1, or the sampler does not work in passes.
    """
    if views is None:
        return
    if isinstance(views, bool) or not isinstance(views, int) or views < 1:
        raise ValueError(f'train_cfg.views must be an integer >= 1, got {views!r}.')
    why = Visits(loader.batch_sampler).undefined
    if why:
        raise ValueError(
            f'train_cfg.views={views}: {why}, so visits cannot be counted. Use '
            "sampler=dict(type='DefaultSampler', shuffle=True) or "
            "dict(type='InfiniteSampler', shuffle=True)."
        )


def check_classes(lists: Mapping[str, Any]) -> None:
    """Check that data sets and checkpoint number their classes the same way.

    Args:
        lists: Class names by where they come from; None if there are none.

    Raises:
        ValueError: If two differ in more than a few spellings; the message has both.
    """
    known = {place: list(names) for place, names in lists.items() if names}
    for place, names in list(known.items())[1:]:
        first = next(iter(known))
        expected = known[first]
        own, other = keys(expected, names)
        if own == other or renamed(own, other):
            continue
        missing = [n for n, key in zip(expected, own, strict=True) if key not in other]
        added = [n for n, key in zip(names, other, strict=True) if key not in own]
        what = 'in another order'
        if missing or added:
            what = f'it lacks {shown(missing)}, and adds {shown(added)}'
        raise ValueError(
            f'{place} numbers its classes differently from {first}: {what}. {first}: '
            f'{shown(expected)}. {place}: {shown(names)}. Give both the same list '
            '(metainfo=dict(classes=[...])); if folders name the classes, both need '
            'a folder for each class, even an empty one.'
        )


def classes_at_test(runner: Runner) -> Sequence[Any] | None:
    """The classes of the test set, if they can be known in training.

    Returns:
        Their names; None if the test set is the validation set, names no classes, or
        cannot be read, such as when it is on another machine.
    """
    loaders = runner._test_dataloader, runner._val_dataloader
    test, validation = (
        loader.get('dataset') if isinstance(loader, Mapping) else None
        for loader in loaders
    )
    if not isinstance(test, Mapping) or test == validation:
        return None
    try:
        return names_of(DATASETS.build(copy.deepcopy(test)))
    except Exception:
        # Missing files can cause any exception in data sets.
        return None


def size_of(sized: Any) -> int | None:
    """The length; None if it is unknown."""
    return len(sized) if hasattr(sized, '__len__') else None
