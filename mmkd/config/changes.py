"""Changes by command-line options that do not name nested keys."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.fileio import get_file_backend
from mmengine.registry import DATASETS

from mmkd.arguments import parameters_of
from mmkd.checks.places import LOADERS, datasets_of
from mmkd.models.teachers.recorded import RUNNING

AMP_WRAPPERS = {
    'OptimWrapper': 'AmpOptimWrapper',
    'mmkd.GradientAlignOptimWrapper': 'mmkd.AmpGradientAlignOptimWrapper',
}
"""Optimiser wrappers and their forms for automatic mixed precision."""

MMENGINE_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)
"""Default hooks that MMEngine adds if a config does not define them."""

SUFFIXES = {'img_path': 'img_suffix', 'seg_map_path': 'seg_map_suffix'}
"""MMSegmentation's settings for the file suffixes in its folders."""


def set_data_root(cfg: Config, root: str) -> None:
    """Point every dataset of every dataloader at a folder.

    Args:
        cfg: The config; changed in place.
        root: The data root.

    Raises:
        ValueError: If the folder does not exist or is empty.
    """
    folder = Path(root)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise ValueError(
            f'the data root {root!r} is '
            f'{"empty" if folder.is_dir() else "not a folder"}: pass the folder '
            "that holds the data set's own folders."
        )
    for _, dataset in datasets_of(cfg):
        dataset.data_root = str(folder)


def check_data(cfg: Config, loaders: Sequence[str] = LOADERS) -> None:
    """Check that every folder that a dataset reads has a file with its suffix.

    Args:
        cfg: The config.
        loaders: The dataloaders whose datasets will be read.

    Folders are accessed through MMEngine's file backends; those of a backend that
    cannot list files are not checked.

    Raises:
        ValueError: If a folder is missing or empty, or all of its files have other
            suffixes; the message names it.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    for _, dataset in datasets_of(cfg, loaders):
        prefixes = dataset.get('data_prefix') or {}
        options = dataset.get('backend_args')
        if not isinstance(prefixes, dict):
            prefixes = {'': prefixes}
        for name, prefix in prefixes.items():
            folder = _joined(dataset.get('data_root') or '', prefix or '')
            held = _files_in(folder, options)
            if not held:
                raise ValueError(
                    f'no training or test data: {dataset.type} reads the folder '
                    f'{folder!r}, which is missing or empty. Pass --data-root, '
                    'or set data_root and data_prefix of the dataloaders.'
                )
            setting = SUFFIXES.get(name, '')
            suffix = _value(dataset, setting, scope)
            # With an annotation file the folder is not scanned for the suffix.
            listed = suffix is None or dataset.get('ann_file')
            if not listed and not _files_in(folder, options, suffix):
                raise ValueError(
                    f'{dataset.type} looks for files that end in {suffix!r} in the '
                    f'folder {folder!r}, but there are none: it holds '
                    f'{", ".join(held)}. Set {setting} of the dataset.'
                )


def _value(dataset: ConfigDict, setting: str, scope: str) -> Any:
    """A dataset's setting, or the default of its class if that is a string."""
    if setting in dataset:
        return dataset[setting]
    parameters = parameters_of(DATASETS, dataset, scope)
    default = parameters[setting].default if setting in parameters else None
    return default if isinstance(default, str) else None


def _joined(root: str, prefix: str) -> str:
    if '://' in prefix or not root:
        return prefix or '.'
    return get_file_backend(root, enable_singleton=True).join_path(root, prefix)


def _files_in(
    folder: str, options: dict[str, Any] | None, suffix: str | None = None
) -> list[str]:
    """The first few files of a folder; a placeholder if it cannot be listed."""
    backend = get_file_backend(folder, backend_args=options, enable_singleton=True)
    try:
        listed = backend.list_dir_or_file(
            folder, list_dir=False, suffix=suffix, recursive=True
        )
        return list(islice(listed, 3))
    except FileNotFoundError:
        return []
    except (AttributeError, NotImplementedError):
        return ['...']


def drop_unwanted_hooks(cfg: Config) -> None:
    """Allow None to disable any default hook, as it does for MMEngine's own.

    MMEngine fails on None for a hook that is not one of its own.

    Args:
        cfg: The config; changed in place.
    """
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None]:
        if name not in MMENGINE_HOOKS:
            hooks.pop(name)


def set_teacher(cfg: Config, checkpoint: str) -> None:
    """Set the teacher's checkpoint.

    Raises:
        ValueError: If the config has no teacher.
    """
    if 'teacher' not in cfg.model:
        raise ValueError(
            f'{cfg.filename} trains {cfg.model.type} without a teacher: '
            '--teacher does not apply.'
        )
    cfg.model.teacher.checkpoint = checkpoint


def set_record(cfg: Config, folder: str, live: bool = False) -> None:
    """Replace the running teacher by a recorded one.

    Args:
        cfg: The config of a distillation; changed in place.
        folder: The record.
        live: Whether the teacher also runs, for outputs that were not recorded.

    Raises:
        ValueError: If the config has no teacher.
    """
    if 'teacher' not in cfg.model:
        raise ValueError(
            f'{cfg.filename} trains {cfg.model.type} without a teacher: '
            '--recorded does not apply. Use --views and --view-seed to train on the '
            'views of a record.'
        )
    settings = {**cfg.model.teacher, 'type': 'RecordedTeacher', 'record': folder}
    # Settings of how a teacher runs apply only to the live part.
    running = {name: settings.pop(name) for name in RUNNING if name in settings}
    cfg.model.teacher = ConfigDict(**settings, live=live and (running or True))


def enable_amp(cfg: Config) -> None:
    """Train with automatic mixed precision and dynamic loss scaling.

    The teacher's weights are then kept in half precision, unless its ``dtype`` is set.

    Raises:
        ValueError: If the optimiser wrapper has no mixed-precision form.
    """
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind not in {*AMP_WRAPPERS, *AMP_WRAPPERS.values()}:
        raise ValueError(
            f'--amp does not know a mixed-precision form of {kind!r}; '
            f'it supports {", ".join(AMP_WRAPPERS)}.'
        )
    if kind in AMP_WRAPPERS:
        wrapper.type = AMP_WRAPPERS[kind]
        wrapper.setdefault('loss_scale', 'dynamic')
    teacher: Any = cfg.model.get('teacher') or {}
    if teacher.get('type', 'FrozenTeacher').endswith('RecordedTeacher'):
        if teacher.get('live') is True:
            teacher.live = {}
        teacher = teacher.get('live', False)
    if teacher is not False:
        on_processor = get_device() == 'cpu'
        half = 'bfloat16' if on_processor else wrapper.get('dtype') or 'float16'
        teacher.setdefault('dtype', half)
