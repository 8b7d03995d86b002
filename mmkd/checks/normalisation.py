"""Pipelines that normalise images, compared between student and teacher."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmkd.checks.places import WRAPPED, several, short_name
from mmkd.models.build import read_model_file

NORMALIZE = 'Normalize'
"""The name of this transform in all libraries."""

Settings = list[tuple[Any, ...]]
"""Mean, std and whether channels are reversed, of each normalisation."""


def check_normalisation(cfg: Config) -> None:
    """Refuse pipelines that normalise otherwise than the teacher's own.

    What data preprocessors do is converted for the teacher; what a pipeline has done
    is not.

    Args:
        cfg: The config of a distillation.

    Raises:
        ValueError: If the teacher's config file has data, and the training pipelines
            of a data set do not normalise as those of its validation do.
    """
    name = ((cfg.get('model') or {}).get('teacher') or {}).get('config')
    if not isinstance(name, str):
        return
    own = read_model_file(name)
    validation = own.get('val_dataloader') or own.get('test_dataloader')
    wanted = [*_pipelines(validation)]
    for found in _pipelines(cfg.get('train_dataloader')):
        if wanted and found not in wanted:
            raise ValueError(
                f'the training pipeline has {_in_words(found)} and the pipeline of the '
                f"teacher's config, {name}, {_in_words(wanted[0])}: the teacher would "
                'see images normalised otherwise than in its training. Let '
                'model.data_preprocessor normalise, in both.'
            )


def _pipelines(loaders: Any) -> Iterator[Settings]:
    """What the pipelines of each data set normalise by, and those around it."""
    for loader in several(loaders or []):
        yield from _around(loader.get('dataset'), [])


def _around(dataset: Any, outer: Settings) -> Iterator[Settings]:
    if isinstance(dataset, (list, tuple)):
        for one in dataset:
            yield from _around(one, outer)
    elif isinstance(dataset, Mapping):
        found = [*_settings(dataset.get('pipeline')), *outer]
        inner = [dataset[key] for key in WRAPPED if dataset.get(key)]
        yield from _around(inner, found) if inner else [found]


def _settings(part: Any) -> Iterator[tuple[Any, ...]]:
    """The settings of all normalisations in a pipeline, at any depth."""
    if isinstance(part, (list, tuple)):
        for one in part:
            yield from _settings(one)
    elif isinstance(part, Mapping):
        if short_name(part) == NORMALIZE:
            given = part.get('mean'), part.get('std'), part.get('to_rgb', True)
            yield tuple(map(_plain, given))
        for one in part.values():
            yield from _settings(one)


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _in_words(found: Settings) -> str:
    each = [
        f'{NORMALIZE}(mean={mean}, std={std}, to_rgb={to_rgb})'
        for mean, std, to_rgb in found
    ]
    return ' and '.join(each) or f'no {NORMALIZE}'
