"""What the command line changes in a config, without naming nested keys."""

from pathlib import Path

from mmengine.config import Config, ConfigDict

from mmkd.models.tasks import set_num_classes
from mmkd.models.teacher import model_dict

AMP_WRAPPERS = {
    'OptimWrapper': 'AmpOptimWrapper',
    'mmkd.GradientAlignOptimWrapper': 'mmkd.AmpGradientAlignOptimWrapper',
}
"""Optimiser wrappers and their forms for automatic mixed precision."""


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
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name) is not None:
            _set_root(cfg[name].dataset, str(folder))


def _set_root(dataset: ConfigDict, root: str) -> None:
    """Descend through wrappers such as RepeatDataset and ConcatDataset."""
    inner = dataset.get('dataset') or dataset.get('datasets')
    if inner is None:
        dataset.data_root = root
    else:
        for item in inner if isinstance(inner, list) else [inner]:
            _set_root(item, root)


def set_teacher(cfg: Config, checkpoint: str) -> None:
    """Set the teacher's checkpoint.

    Raises:
        ValueError: If the config has no teacher.
    """
    if 'teacher' not in cfg.model:
        raise ValueError(
            f'{cfg.filename} trains {cfg.model.type} without a teacher: '
            '--teacher has no meaning here.'
        )
    cfg.model.teacher.checkpoint = checkpoint


def enable_amp(cfg: Config) -> None:
    """Train with automatic mixed precision and dynamic loss scaling.

    Raises:
        ValueError: If the optimiser wrapper has no form for it.
    """
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind in AMP_WRAPPERS.values():
        return
    if kind not in AMP_WRAPPERS:
        raise ValueError(
            f'--amp does not know a mixed-precision form of {kind!r}; '
            f'it knows those of {", ".join(AMP_WRAPPERS)}.'
        )
    wrapper.type = AMP_WRAPPERS[kind]
    wrapper.setdefault('loss_scale', 'dynamic')


def deploy_student(cfg: Config) -> None:
    """Replace a distiller by its plain student, for testing.

    The teacher is not built, and hooks of mmkd, which serve training alone,
    are dropped. A config without a distiller stays as it is.

    Args:
        cfg: The config; changed in place.
    """
    if 'student' not in cfg.model:
        return
    student = model_dict(cfg.model.student)
    if cfg.model.get('num_classes') is not None:
        set_num_classes(student, cfg.model.num_classes)
    cfg.model = student
    hooks = cfg.get('custom_hooks') or []
    cfg.custom_hooks = [hook for hook in hooks if not hook.type.startswith('mmkd.')]
