"""Pipelines that normalise images, compared between student and teacher."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from mmkd.checks.places import datasets_of

NORMALIZE = 'Normalize'
"""The name of this transform in all libraries."""


def check_normalisation(cfg: Config) -> None:
    """Refuse pipelines that normalise otherwise than the teacher's own.

    What data preprocessors do is converted for the teacher; what a pipeline has done
    is not.

    Args:
        cfg: The config of a distillation.

    Raises:
        ValueError: If the teacher's config file has data, and a training pipeline does
            not normalise as its validation does.
    """
    name = ((cfg.get('model') or {}).get('teacher') or {}).get('config')
    if not isinstance(name, str):
        return
    own = get_config(name) if '::' in name else Config.fromfile(name)
    wanted = _steps(own, ('val_dataloader', 'test_dataloader'))
    for found in _steps(cfg, ('train_dataloader',)):
        if wanted and found not in wanted:
            raise ValueError(
                f'the training pipeline has {_in_words(found)} and the pipeline of the '
                f"teacher's config, {name}, {_in_words(wanted[0])}: the teacher would "
                'see images normalised otherwise than in its training. Let '
                'model.data_preprocessor normalise, in both.'
            )


def _steps(cfg: Config, loaders: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The normalisations of each data set's pipeline."""
    return [
        [
            {key: value for key, value in step.items() if key != 'type'}
            for step in dataset.get('pipeline') or []
            if isinstance(step, Mapping) and _name(step) == NORMALIZE
        ]
        for _, dataset in datasets_of(cfg, loaders)
    ]


def _name(step: Mapping[str, Any]) -> str:
    kind = step.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.replace('/', '.').rpartition('.')[2]


def _in_words(steps: Sequence[Mapping[str, Any]]) -> str:
    settings = [
        ', '.join(f'{name}={value}' for name, value in step.items()) for step in steps
    ]
    if not settings:
        return f'no {NORMALIZE}'
    return ' and '.join(f'{NORMALIZE}({each})' for each in settings)
