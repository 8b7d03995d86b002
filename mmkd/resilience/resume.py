"""Choice of the checkpoint that a training resumes from."""

import glob
import logging
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd.checkpoints.loading import CheckpointError, check_whole, read_meta

LAST = 'last_checkpoint'
"""The file in which MMEngine notes the newest checkpoint."""

NAMES = ('epoch_{}.pth', 'iter_{}.pth')
"""MMEngine's default names of checkpoints."""


def choose_checkpoint(cfg: Config) -> None:
    """Make a training that resumes start from an intact checkpoint.

    Sets ``load_from`` to the newest intact one in the work directory, unless a
    file is given; a warning names each damaged one. If there is none, a warning
    says so and the training starts from the beginning, with the weights in
    ``load_from`` if ``resume`` is ``'auto'``.

    Args:
        cfg: The config, with ``work_dir``; changed in place.

    Raises:
        CheckpointError: If the given file, or every checkpoint in the folder, is
            damaged or does not hold the state of a training.
        FileNotFoundError: If there is no such file.
    """
    if not cfg.get('resume'):
        return
    asked = cfg.get('load_from')
    if asked is None or cfg.resume == 'auto':
        folder, names = checkpoint_folder(cfg), checkpoint_names(cfg)
        found = newest_whole(folder, names) or _noted(folder, cfg.work_dir)
        cfg.resume = found is not None
        if found is not None:
            cfg.load_from = str(found)
            _compare_with_note(Path(found), cfg.work_dir)
            return
        begin = 'the beginning' if asked is None else asked
        print_log(
            f'there is no checkpoint to resume from in {folder} '
            f'({", ".join(names)}): the training starts from {begin}.',
            'current',
            logging.WARNING,
        )
    elif '://' not in asked and not Path(asked).is_dir():
        path = Path(asked).expanduser()
        try:
            _progress(path)
            check_whole(path)
        except CheckpointError as error:
            try:
                other = newest_whole(path.parent, checkpoint_names(cfg))
            except CheckpointError:
                other = None
            advice = f'the newest intact file is {other}: pass --resume {other}'
            raise CheckpointError(
                f'cannot resume: {error}; '
                f'{advice if other else "its folder has no intact one"}.'
            ) from None


def newest_whole(
    folder: str | Path, names: tuple[str, ...] = NAMES
) -> Path | None:
    """Find the newest checkpoint that a training can resume from.

    That is the one with the most iterations: the count in a file stays right when
    the file is copied, unlike its modification time and the name noted in
    ``last_checkpoint``. Best checkpoints, which hold no optimiser, and exported
    students do not count.

    Args:
        folder: Where the checkpoints are.
        names: Their names, with ``{}`` or ``{:06d}`` for the number.

    Returns:
        Its path, or None if there is no checkpoint.

    Raises:
        CheckpointError: If there are checkpoints and all are damaged.
    """
    usable, damaged = [], []
    for name in names:
        for path in sorted(Path(folder).glob(pattern_of(name))):
            if not path.is_file() or path.name.startswith('best_'):
                continue
            try:
                usable.append((_progress(path), path.name, path))
            except CheckpointError as error:
                damaged.append(str(error))
    for _, _, path in sorted(usable, reverse=True):
        try:
            check_whole(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        for what in damaged:
            print_log(f'{what}. Resuming from {path}.', 'current', logging.WARNING)
        return path
    if damaged:
        raise CheckpointError(
            f'cannot resume: {"; ".join(damaged)}. No intact checkpoint is left in '
            f'{folder}. Without --resume the training starts from the beginning.'
        )
    return None


def _progress(path: Path) -> tuple[int, int]:
    """How many iterations and epochs a checkpoint holds."""
    meta = read_meta(path)
    iterations, epochs = meta.get('iter'), meta.get('epoch')
    if not (isinstance(iterations, int) and isinstance(epochs, int)):
        raise CheckpointError(
            f'{path} holds no training to resume: its meta has no iteration and '
            'epoch. To start from its weights, use load_from without --resume'
        )
    return iterations, epochs


def _note(work_dir: str) -> str:
    """What MMEngine has noted as the newest checkpoint."""
    note = Path(work_dir, LAST)
    return note.read_text().strip() if note.is_file() else ''


def _compare_with_note(found: Path, work_dir: str) -> None:
    noted = Path(_note(work_dir)).name
    if noted not in ('', found.name):
        print_log(
            f'resuming from {found}, the intact checkpoint with the most iterations, '
            f'and not from {noted}, which {LAST} names.',
            'current',
            logging.WARNING,
        )


def _noted(folder: str, work_dir: str) -> str | None:
    """The noted one, if it is not a local file: in an object store, or sharded."""
    named = _note(work_dir)
    inside = named.rpartition('/')[0] == folder.rstrip('/')
    return named if inside and ('://' in folder or Path(named).is_dir()) else None


def checkpoint_folder(cfg: Config) -> str:
    """Where MMEngine's checkpoint hook saves checkpoints."""
    out_dir = _hook(cfg).get('out_dir')
    if not out_dir:
        return str(cfg.work_dir)
    return f'{str(out_dir).rstrip("/")}/{Path(cfg.work_dir).name}'


def checkpoint_names(cfg: Config) -> tuple[str, ...]:
    """How MMEngine's checkpoint hook names checkpoints, as for :func:`newest_whole`."""
    name = _hook(cfg).get('filename_tmpl')
    return NAMES if name is None else (name,)


def pattern_of(name: str) -> str:
    """A glob pattern of checkpoints, with any number.

    Args:
        name: Their name, with ``{}`` or ``{:06d}`` for the number.
    """
    digits = re.sub(r'\{(:(0\d+)?d)?\}', '[0-9]*', glob.escape(name))
    return re.sub(r'\{[^{}]*\}', '*', digits)


def _hook(cfg: Config) -> dict[str, Any]:
    return (cfg.get('default_hooks') or {}).get('checkpoint') or {}
