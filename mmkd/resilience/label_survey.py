"""Checks of labels before training starts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmkd.models.class_names import names_of
from mmkd.models.label_settings import check_class_weights, check_padding
from mmkd.models.tasks import Task, class_count, task_of
from mmkd.nearest import listed
from mmkd.random_state import random_state_kept
from mmkd.resilience.label_reading import ReadLabels, leaves, may_map_later, spread
from mmkd.resilience.runner_model import model_of


class LostBitsError(ValueError):
    """Labels are read with fewer bits than they have."""


def survey(runner: Runner) -> bool:
    """Check some labels of the training and validation sets.

    The data sets' own pipelines read them. Unreadable files are left to the
    training, which names them; models and data sets of other kinds are skipped.
    The model's settings for labels are checked first; a distiller has done so
    when it was built.

    Returns:
        Whether training labels are to be checked batch by batch, as code of a user's
        own may still map them; a warning tells what is wrong with them before. Those of
        the validation always are.

    Raises:
        ValueError: If labels are not classes of the model, have channels, more
            bits than are read, or a different size from their image, or if
            nothing is labelled; the message names the file. Also if settings
            contradict each other, or a score needs more classes than there are.
    """
    config = runner.cfg.get('model')
    if isinstance(config, dict) and 'student' not in config:
        check_class_weights(config, 'model')
    check_padding(model_of(runner))
    unsure = False
    loops = {'train_dataloader': runner.train_loop, 'val_dataloader': runner.val_loop}
    for name, loop in loops.items():
        dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
        expected = _expected(runner, loop)
        if expected is None:
            continue
        _check_topk(loop, expected[1])
        if not leaves(dataset):
            continue
        try:
            with random_state_kept(next(model_of(runner).parameters()).device):
                found = _look_at(dataset, *expected)
        except ValueError as error:
            if isinstance(error, LostBitsError) or not may_map_later(dataset):
                raise ValueError(f'{name}: {error}') from error
            runner.logger.warning(
                f'{name}: {error} This training goes on, as code of your own may map '
                'them, and checks labels as the model gets them.'
            )
            unsure = unsure or name == 'train_dataloader'
            continue
        if name == 'train_dataloader' and found:
            _warn_of_missing(runner, found, expected[1])
    return unsure


def check_batch(runner: Runner, loop: Any, batch: Any) -> None:
    """Reject a batch of the training or validation with a label that is no class.

    Raises:
        ValueError: If there is one, or labels have channels; the message names the
            file.
    """
    expected = _expected(runner, loop)
    found = batch.get('data_samples') if isinstance(batch, dict) else None
    samples = found if isinstance(found, list) else []
    if expected is not None and all(isinstance(s, BaseDataElement) for s in samples):
        task, classes = expected
        labelled = [s for s in samples if task.labels_of(s).numel()]
        if labelled:
            task.check_targets(labelled)
        task.check_labels(samples, classes)


def _expected(runner: Runner, loop: Any) -> tuple[Task, int] | None:
    """How to read labels, and the number of classes; None if unknown."""
    model = model_of(runner)
    try:
        task, classes = task_of(model), class_count(model)
    except TypeError:
        return None
    if not classes:
        return None
    for metric in _metrics(loop):
        if hasattr(metric, 'ignore_index') and hasattr(task, 'ignore_index'):
            # A score may ignore different labels from a loss.
            task.ignore_index = metric.ignore_index
    return task, max(classes, 2)


def _metrics(loop: Any) -> Sequence[Any]:
    """The metrics of a validation loop; none for a training loop."""
    return getattr(getattr(loop, 'evaluator', None), 'metrics', ())


def _check_topk(loop: Any, num_classes: int) -> None:
    """Refuse a top-k accuracy with k above the number of classes."""
    for metric in _metrics(loop):
        if type(metric).__name__ == 'Accuracy' and max(metric.topk) > num_classes:
            raise ValueError(
                f'val_evaluator: Accuracy has topk={metric.topk}, but the model has '
                f'{num_classes} classes: set topk to at most {num_classes}.'
            )


class _Found(NamedTuple):
    """Values found in the labels of a data set.

    Attributes:
        classes: The classes.
        ignored: Labels that are ignored.
        where: Which labels were checked, in words.
    """

    classes: set[int]
    ignored: set[int]
    where: str


def _look_at(dataset: Any, task: Task, num_classes: int) -> _Found | None:
    classes: set[int] = set()
    ignored: set[int] = set()
    count, noun = 0, 'labels'
    for read in spread(leaves(dataset)):
        task.check_targets([read.sample], read.images)
        _check_bits(read, task)
        task.check_labels([read.sample], num_classes)
        values = task.labels_of(read.sample).unique()
        skipped = task.is_ignored(values)
        classes.update(values[~skipped].long().tolist())
        ignored.update(values[skipped].tolist())
        count += 1
        noun = 'labels' if read.images is None else 'label files'
    if count == 0:
        return None
    where = f'the {len(dataset)} {noun}'
    if count < len(dataset):
        where = f'{count} of {where}'
    if not classes:
        raise ValueError(
            f'nothing has a class in {where}: all values are ignored '
            f'({sorted(ignored)}). Are these the values that the data set expects?'
        )
    return _Found(classes, ignored, where)


def _warn_of_missing(runner: Runner, found: _Found, num_classes: int) -> None:
    missing = [label for label in range(num_classes) if label not in found.classes]
    if not missing:
        return
    names = names_of(runner.train_dataloader.dataset) or ()
    shown = [
        f'{label} ({names[label]})' if len(names) == num_classes else str(label)
        for label in missing
    ]
    hint = ''
    if len(found.classes) == 1 and found.ignored:
        hint = (
            f'. {found.classes.pop()} is the only class besides the ignored value '
            f'{found.ignored.pop()}: save masks of 0 and 255 as 0 and 1'
        )
    runner.logger.warning(
        f'{len(missing)} of {num_classes} classes occur in none of {found.where}: '
        f'{listed(shown, 10)}{hint}.'
    )


def _check_bits(read: ReadLabels, task: Task) -> None:
    """Refuse values that change in the bits that labels are read with."""
    changed = (read.held != read.kept) & ~task.is_ignored(read.kept)
    if changed.any():
        pairs = zip(read.held[changed].tolist(), read.kept[changed], strict=True)
        raise LostBitsError(
            f'{read.sample.seg_map_path} holds values above 255, but labels are read '
            f'with 8 bits: {", ".join(f"{a} becomes {b}" for a, b in [*pairs][:5])}. '
            'Save class indices, and 255 for ignored pixels.'
        )
