"""Checks of output paths before a training starts."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from mmkd.checks.places import hooks_of


def check_saving(cfg: Config) -> None:
    """Refuse invalid checkpoint names, and folders that cannot be created.

    The folders of a training and of its checkpoints are created and locked when it
    starts; a logger would create its own only when the training is over.

    Args:
        cfg: The config of any training or test.

    Raises:
        ValueError: If checkpoint names would not be distinct, would look like those of
            best checkpoints, or would be in another folder.
        OSError: If a logger's folder cannot be created.
    """
    for where, hook in hooks_of(cfg).items():
        if not isinstance(hook, Mapping):
            continue
        if hook.get('filename_tmpl') is not None:
            _check_name(f'{where}.filename_tmpl', str(hook['filename_tmpl']))
        folder = hook.get('out_dir')
        logs = 'LoggerHook' in str(hook.get('type')) or where.endswith('.logger')
        if logs and folder and '://' not in str(folder):
            try:
                Path(folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OSError(
                    f'{where}.out_dir: cannot create the folder {str(folder)!r}: '
                    f'{error}'
                ) from error


def _check_name(where: str, template: str) -> None:
    try:
        names = {template.format(number) for number in (1, 2)}
    except (LookupError, ValueError):
        names = set()
    if (
        len(names) != 2
        or Path(template).name != template
        or template.startswith('best_')
        or not template.endswith('.pth')
    ):
        raise ValueError(
            f'{where} must be a file name that ends in .pth and does not begin with '
            f'best_, with {{}} for the number, got {template!r}.'
        )
