"""Pipelines that normalise images, compared between student and teacher."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

NORMALIZE = 'Normalize'
"""The name of this transform in all libraries."""


def check_normalisation(cfg: Config) -> None:
    """Refuse pipelines that normalise otherwise than the teacher's own.

    What data preprocessors do is converted for the teacher; what a pipeline has done
    is not.

    Args:
        cfg: The config of a distillation.

    Raises:
        ValueError: If the teacher's config file has data, and the training pipelines
            do not normalise as those of its validation do.
    """
    name = ((cfg.get('model') or {}).get('teacher') or {}).get('config')
    if not isinstance(name, str):
        return
    own = get_config(name) if '::' in name else Config.fromfile(name)
    validation = own.get('val_dataloader') or own.get('test_dataloader')
    wanted = {*_settings(validation)}
    found = {*_settings(cfg.get('train_dataloader'))}
    if validation and found != wanted:
        raise ValueError(
            f'the training pipeline has {_in_words(found)} and the pipeline of the '
            f"teacher's config, {name}, {_in_words(wanted)}: the teacher would see "
            'images normalised otherwise than in its training. Let '
            'model.data_preprocessor normalise, in both.'
        )


def _settings(part: Any) -> Iterator[tuple[Any, ...]]:
    """The settings of all normalisations in a part of a config, at any depth."""
    if isinstance(part, (list, tuple)):
        for one in part:
            yield from _settings(one)
    elif isinstance(part, Mapping):
        if _name(part) == NORMALIZE:
            yield tuple(
                tuple(value) if isinstance(value, (list, tuple)) else value
                for value in (
                    part.get('mean'), part.get('std'), part.get('to_rgb', True)
                )
            )
        for one in part.values():
            yield from _settings(one)


def _name(part: Mapping[str, Any]) -> str:
    kind = part.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.replace('/', '.').rpartition('.')[2]


def _in_words(found: set[tuple[Any, ...]]) -> str:
    each = [
        f'{NORMALIZE}(mean={mean}, std={std}, to_rgb={to_rgb})'
        for mean, std, to_rgb in sorted(found, key=str)
    ]
    return ' and '.join(each) or f'no {NORMALIZE}'
