"""Turning the config of a distillation into that of its plain student."""

import copy
from collections.abc import Iterable
from typing import Any

from mmengine.config import Config

from mmkd.models.build import check_alike, student_dict

TRAINING = (
    'train_cfg',
    'train_dataloader',
    'train_pipeline',
    'optim_wrapper',
    'optimizer',
    'param_scheduler',
    'auto_scale_lr',
    'custom_hooks',
    'default_hooks',
    'load_from',
    'resume',
    'launcher',
    'work_dir',
    'experiment_name',
)
"""Fields of a config that concern only training."""

PREPROCESSORS = {
    'mmkd.CropFlipDataPreprocessor': (
        'mmpretrain.ClsDataPreprocessor',
        ('padding', 'flip_prob'),
    )
}
"""Data preprocessors that do more in training: their equivalents without it, and
their settings that only concern training."""

HOOKS = (
    'mmkd.CheckTeacherHook',
    'mmkd.DistillScheduleHook',
    'mmkd.GradientConflictHook',
    'mmkd.PrepareMethodsHook',
    'mmkd.StartTableHook',
)
"""The hooks that need a distiller."""


TOP = 'data_preprocessor'
"""The key of a config for models without a preprocessor of their own."""


def settle_preprocessor(cfg: Config, changed: Iterable[str] = ()) -> None:
    """Apply ``model.data_preprocessor`` if the student has its own.

    MMSegmentation's users set it there, as in ``dict(size=crop_size)``.

    Args:
        cfg: The config of any training; changed in place.
        changed: Keys that were set on the command line.

    Raises:
        ValueError: If the top-level ``data_preprocessor`` has a third value, or was
            changed for a model with its own, for which the Runner ignores it.
    """
    given, student = cfg.model.get('data_preprocessor'), cfg.model.get('student')
    if given and isinstance(student, dict) and student.get('data_preprocessor'):
        own, top = student['data_preprocessor'], cfg.get('data_preprocessor') or {}
        for name, value in given.items():
            if name in top and str(top[name]) not in (str(value), str(own.get(name))):
                raise ValueError(
                    f'data_preprocessor.{name} is {top[name]} and '
                    f'model.data_preprocessor.{name} is {value}: set only the latter, '
                    'which takes precedence.'
                )
        own.update(given)
        cfg.model.pop('data_preprocessor')
        if cfg.get('data_preprocessor'):
            cfg.data_preprocessor.update(given)
    elif given:
        top = cfg.get('data_preprocessor') or {}
        paths = [key.split('.') for key in changed]
        if [TOP] in paths:
            check_alike({k: v for k, v in top.items() if k != 'type'}, given)
        names = {path[1] for path in paths if path[0] == TOP and path[1:]}
        ignored = {name: top[name] for name in names}
        check_alike(ignored, {**dict.fromkeys(ignored), **given})


def distils(hook: Any) -> bool:
    """Whether the config of a hook is that of one which acts on a distiller."""
    return isinstance(hook, dict) and hook.get('type') in HOOKS


def drop_distillation(cfg: Config) -> None:
    """Make a config train or test only the student, all else equal.

    A config without a distiller is not changed.

    Args:
        cfg: The config; changed in place.

    Raises:
        ValueError: If its data preprocessors contradict each other.
    """
    if 'student' not in cfg.model:
        return
    settle_preprocessor(cfg)
    if not cfg.model.get('data_preprocessor'):
        # The Runner passes the top-level one to a distiller without its own: what that
        # refuses is refused here.
        student_dict({**cfg.model, 'data_preprocessor': cfg.get('data_preprocessor')})
    cfg.model = student_dict(cfg.model)
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if distils(hook)]:
        hooks.pop(name)
    wrapper = cfg.get('optim_wrapper') or {}
    if str(wrapper.get('constructor')).startswith('mmkd.'):
        wrapper.pop('constructor')
        if 'constructor' in (wrapper.get('paramwise_cfg') or {}):
            wrapper['constructor'] = wrapper['paramwise_cfg'].pop('constructor')
    if cfg.get('custom_hooks'):
        cfg.custom_hooks = [hook for hook in cfg.custom_hooks if not distils(hook)]


def student_config(cfg: Config) -> Config:
    """The config that a trained student is tested and deployed with.

    It needs mmkd only if the student's own backbone or data set is mmkd's, and
    then imports it.

    Args:
        cfg: The config of its training; not changed.
    """
    cfg = copy.deepcopy(cfg)
    drop_distillation(cfg)
    for name in TRAINING:
        cfg.pop(name, None)
    for part in (cfg, cfg.model):
        _leave_training_out(part.get('data_preprocessor') or {})
    imports = cfg.pop('custom_imports', None) or dict(imports=[])
    names = imports['imports']
    names = [names] if isinstance(names, str) else names
    if not names_own_types(cfg.to_dict()):
        names = [name for name in names if name.partition('.')[0] != 'mmkd']
    if names:
        cfg.custom_imports = dict(imports, imports=names)
    return cfg


def _leave_training_out(preprocessor: dict[str, Any]) -> None:
    if preprocessor.get('type') in PREPROCESSORS:
        preprocessor['type'], settings = PREPROCESSORS[preprocessor['type']]
        for name in settings:
            preprocessor.pop(name, None)


def names_own_types(value: Any) -> bool:
    """Whether a config names a class of mmkd.

    Args:
        value: The config, or a part of it, as plain values.
    """
    if isinstance(value, dict):
        own = str(value.get('type')).startswith('mmkd.')
        return own or any(map(names_own_types, value.values()))
    return isinstance(value, (list, tuple)) and any(map(names_own_types, value))
