"""The settings that define an experiment, and those in which runs differ."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from mmkd.checkpoints.identity import without
from mmkd.checks.places import LOADERS, datasets_of
from mmkd.models.deploy import distils
from mmkd.models.tasks import set_num_classes
from mmkd.resilience.work_dir import BESIDE_THE_POINT, PARTS
from mmkd.runs import Run

CONSTRUCTOR = 'optim_wrapper.constructor'
INNER = 'optim_wrapper.paramwise_cfg.constructor'
DEFAULT = 'DefaultOptimWrapperConstructor'
ESSENTIAL = (
    'student.type',
    'student.backbone.type',
    'student.backbone.depth',
    'train_dataloader.dataset.type',
    'train_dataloader.dataset.data_root',
    'train_dataloader.batch_size',
    'optim_wrapper.optimizer.type',
    'optim_wrapper.optimizer.lr',
    'train_cfg.max_epochs',
    'train_cfg.max_iters',
)
"""Settings that are always shown if the config has them."""

DEFINING = (*PARTS, 'load_from', 'val_dataloader', 'val_evaluator')
"""Parts of a config that define what a run is and how it is scored."""

BESIDE_A_GROUP = (*BESIDE_THE_POINT, 'seed')
"""Settings in which runs of one group may differ."""


@cache
def settings_of(run: Run) -> dict[str, Any]:
    """The settings that define a run's experiment, without the seed, by dotted name.

    A student's settings have the same names alone and in a distillation.
    """
    parts = {
        part: without(run.settings.get(part), BESIDE_A_GROUP) for part in DEFINING
    }
    model, hooks = parts.pop('model'), parts['custom_hooks']
    if isinstance(hooks, list):
        # A student alone has none of them, and none changes what is trained.
        kept = [hook for hook in hooks if not distils(hook)]
        parts['custom_hooks'] = kept or None
    if isinstance(model, dict):
        student = parts['student'] = model.pop('student', model)
        parts['data_preprocessor'] = _preprocessor(
            parts['data_preprocessor'], model, student
        )
        if run.methods is not None:
            if model.get('num_classes') is not None and isinstance(student, dict):
                # It overrides the student's own.
                whole = {**student, 'data_preprocessor': parts['data_preprocessor']}
                set_num_classes(whole, model['num_classes'])
            parts |= {key: value for key, value in model.items() if key != 'type'}
    settings = dict(_flat(parts, ''))
    if str(settings.get(CONSTRUCTOR)).startswith('mmkd.'):
        # The tools set it for a distillation, and keep the student's own inside.
        settings.pop(CONSTRUCTOR)
        if INNER in settings:
            settings[CONSTRUCTOR] = settings.pop(INNER)
    if str(settings.get(CONSTRUCTOR)).rpartition('.')[2] == DEFAULT:
        settings.pop(CONSTRUCTOR)
    return settings


def _preprocessor(top: Any, model: dict[str, Any], student: Any) -> dict[str, Any]:
    """What a model's preprocessor is built from; taken out of the model's parts."""
    # The Runner takes the top-level one only for a model without its own.
    given = model.pop('data_preprocessor', None) or top or {}
    own = student.pop('data_preprocessor', None) if isinstance(student, dict) else None
    return dict(without({**given, **(own or {})}, ('_scope_',)))


def _flat(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    holds_dicts = isinstance(value, list) and any(isinstance(v, dict) for v in value)
    inner = dict(enumerate(value)) if holds_dicts else value
    if isinstance(inner, dict) and inner:
        for key, each in inner.items():
            yield from _flat(each, f'{place}.{key}' if place else str(key))
    elif value is not None:
        yield place, value


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The settings in which runs differ, with each run's value; None if it has none."""
    own = [settings_of(run) for run in runs]
    places = dict.fromkeys(place for settings in own for place in settings)
    # Sort settings that only one run has next to related ones.
    places = dict.fromkeys(sorted(places, key=lambda place: place.partition('.')[0]))
    found = {place: [settings.get(place) for settings in own] for place in places}
    return {
        place: values
        for place, values in found.items()
        if any(value != values[0] for value in values)
    }


def described(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The essential settings, then those in which the runs differ."""
    own = [settings_of(run) for run in runs]
    known = [place for place in ESSENTIAL if any(place in each for each in own)]
    return {place: [each.get(place) for each in own] for place in known} | differing(
        runs
    )


def backbone_of(run: Run) -> Any:
    """The config of a student's backbone, which identifies the network."""
    return without(run.student.get('backbone'), ('init_cfg',))


def data_of(run: Run) -> dict[str, Any]:
    """The data without which the scores of two runs cannot be compared.

    Kind and folder of the training data, the validation data, and the number of
    classes. Settings of the pipelines are not part of it.
    """
    training, validation = (
        [without(dataset, ('pipeline', '_scope_')) for _, dataset in found]
        for found in (datasets_of(run.settings, [name]) for name in LOADERS[:2])
    )
    for dataset in (*training, *validation):
        dataset['type'] = str(dataset.get('type')).rpartition('.')[-1]
    classes = {
        place: value
        for place, value in settings_of(run).items()
        if place.startswith('student.') and place.endswith('.num_classes')
    }
    return dict(
        training=[(each['type'], each.get('data_root')) for each in training],
        validation=validation,
        classes=classes,
    )


def unequal(alone: Run, taught: Run) -> list[str]:
    """The settings besides those of distillation in which a run differs from another.

    Args:
        alone: A student alone.
        taught: A distillation of it.
    """
    roots = ('student', *DEFINING)
    found = differing([alone, taught])
    return [place for place in found if place.partition('.')[0] in roots]
