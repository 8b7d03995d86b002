"""Building models from configs."""

import copy
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.hub import get_config
from torch import nn

from mmkd.models.tasks import set_num_classes
from mmkd.registry import MODELS
from mmkd.setup import setup


def build_model(
    config: str | dict[str, Any], num_classes: int | None = None
) -> nn.Module:
    """Build a classifier or segmentor.

    Args:
        config: See :func:`model_dict`.
        num_classes: If given, overrides the class count of the model's heads.

    Returns:
        The model, whose weights are not initialised yet.

    Raises:
        ValueError: If an assertion of a library fails; with its message, or else its
            line of code.
    """
    model = model_dict(config)
    if num_classes is not None:
        set_num_classes(model, num_classes)
    try:
        return MODELS.build(model)
    except AssertionError as error:
        *_, failed = traceback.extract_tb(error.__traceback__)
        place = f'{Path(failed.filename).name}, line {failed.lineno}'
        said = str(error) or failed.line
        raise ValueError(
            f'{model.get("type")} cannot be built: {said} ({place})'
        ) from error


def model_dict(config: str | dict[str, Any]) -> dict[str, Any]:
    """The model dict of a config: a copy of a dict, or that of a file.

    A file's ``data_preprocessor`` and ``default_scope`` are kept with it. The
    config of a distillation gives the model dict of its student.

    Args:
        config: A model dict, or the path of a config file that contains one
            (``'mmseg::deeplabv3/….py'``, ``'mmpretrain::…'`` or a local
            file). A file's ``default_scope`` applies to its model.
    """
    setup()
    if isinstance(config, dict):
        model = Config(copy.deepcopy(dict(model=config))).model
    else:
        model = model_in(read_model_file(config))
    return student_dict(model) if 'student' in model else model


def read_model_file(name: str) -> Config:
    """Read the config file of a model.

    Args:
        name: Its path, or that of one in a package (``'mmseg::...'``).
    """
    return get_config(name) if '::' in name else Config.fromfile(name)


def model_in(cfg: Config) -> dict[str, Any]:
    """The model dict of a config, with the top-level fields that belong to it.

    Args:
        cfg: The config; its model is changed in place.
    """
    model: dict[str, Any] = cfg.model
    if cfg.get('data_preprocessor') is not None:
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    if cfg.get('default_scope') is not None:
        model.setdefault('_scope_', cfg.default_scope)
    return model


def student_dict(distiller: dict[str, Any]) -> dict[str, Any]:
    """The plain student's model dict, from that of its distiller.

    Args:
        distiller: The dict of a :class:`mmkd.models.Distiller`; not changed.

    Raises:
        ValueError: If its ``data_preprocessor`` contradicts the student's own.
    """
    student = model_dict(distiller['student'])
    if distiller.get('_scope_') is not None:
        student.setdefault('_scope_', distiller['_scope_'])
    given, own = distiller.get('data_preprocessor'), student.get('data_preprocessor')
    if given is not None:
        check_alike(given, own or {})
        student['data_preprocessor'] = {**given, **(own or {})}
    if distiller.get('num_classes') is not None:
        set_num_classes(student, distiller['num_classes'])
    return student


def check_alike(given: dict[str, Any], own: dict[str, Any]) -> None:
    """Refuse a data preprocessor that contradicts the student's own.

    Args:
        given: The settings outside the student.
        own: The student's.

    Raises:
        ValueError: If it does; the message has both values.
    """
    for key, value in given.items():
        if key in own and not np.array_equal(own[key], value):
            raise ValueError(
                f'data_preprocessor.{key} is {value!r} outside the student and '
                f'{own[key]!r} inside. Set only one of them, at the top level of a '
                'config or in model.student, or both to the same value; in a config of '
                f'mmkd model = dict(data_preprocessor=dict({key}=...)) sets both.'
            )
