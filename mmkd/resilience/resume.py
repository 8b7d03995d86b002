"""Which checkpoint a training goes on from."""

import logging
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd.checkpoint import CheckpointError, check_whole

LAST = 'last_checkpoint'
"""The file in which MMEngine notes the newest checkpoint."""


def choose_checkpoint(cfg: Config) -> None:
    """Let a training that is to be resumed go on from a whole checkpoint.

    Sets ``load_from`` to the newest one of the work directory that is whole,
    unless a file is asked for; each damaged one is named in a warning. Without
    any checkpoint the training starts from the beginning, as in MMEngine.

    Args:
        cfg: The config, with ``work_dir``; changed in place.

    Raises:
        CheckpointError: If the file asked for is damaged, or all there are.
    """
    if not cfg.get('resume'):
        return
    asked = cfg.get('load_from')
    if asked is None:
        found = newest_whole(_folder(cfg), cfg.work_dir)
        cfg.load_from = None if found is None else str(found)
    elif Path(asked).is_file():
        try:
            check_whole(asked)
        except CheckpointError as error:
            try:
                other = newest_whole(Path(asked).parent)
            except CheckpointError:
                other = None
            advice = f'the newest whole one beside it is {other}: pass --resume {other}'
            raise CheckpointError(
                f'cannot resume: {error}; '
                f'{advice if other else "no whole one is beside it"}.'
            ) from None


def newest_whole(folder: str | Path, work_dir: str | Path | None = None) -> Path | None:
    """Find the newest checkpoint that a training can go on from.

    That is the one that ``last_checkpoint`` names or, if it is damaged, the
    one of the others that was written last. Best checkpoints, which hold no
    optimiser, and exported students are none of them.

    Args:
        folder: Where the checkpoints are.
        work_dir: Where ``last_checkpoint`` is, if elsewhere.

    Returns:
        Its path, or None if there is no checkpoint.

    Raises:
        CheckpointError: If there are checkpoints and all are damaged.
    """
    damaged = []
    for path in _newest_first(Path(folder), Path(work_dir or folder)):
        try:
            check_whole(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        for what in damaged:
            print_log(f'{what}. Going on from {path}.', 'current', logging.WARNING)
        return path
    if damaged:
        raise CheckpointError(
            f'cannot resume: {"; ".join(damaged)}. No whole checkpoint is left in '
            f'{folder}. Without --resume the training starts from the beginning.'
        )
    return None


def _newest_first(folder: Path, work_dir: Path) -> list[Path]:
    found = [*folder.glob('epoch_*.pth'), *folder.glob('iter_*.pth')]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    note = work_dir / LAST
    named = Path(note.read_text().strip()) if note.is_file() else Path()
    if not named.is_file():
        # The folder was moved, or is seen from another one.
        named = folder / named.name
    if named.is_file():
        found = [named, *(path for path in found if path.name != named.name)]
    return found


def _folder(cfg: Config) -> Path:
    """Where MMEngine's checkpoint hook puts the checkpoints."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    work_dir = Path(cfg.work_dir)
    return Path(hook['out_dir'], work_dir.name) if hook.get('out_dir') else work_dir
