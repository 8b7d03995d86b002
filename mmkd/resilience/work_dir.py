"""Each work directory belongs to one experiment, and to one training at a time."""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from mmengine.config import Config

from mmkd.checkpoints.identity import differences, without
from mmkd.resilience.files import locked
from mmkd.resilience.resume import (
    NAMES,
    checkpoint_folder,
    checkpoint_names,
    pattern_of,
)

RECORD = 'experiment.json'
"""The file that describes a folder's experiment. A running training locks it."""

PARTS = (
    'model',
    'data_preprocessor',
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'custom_hooks',
    'randomness',
)
"""Parts of a config that define an experiment."""

BESIDE_THE_POINT = ('num_workers', 'persistent_workers', 'pin_memory', 'val_interval')
"""Settings that do not affect checkpoints."""

RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
"""Environment variables with the rank, set before a process group exists."""


class WorkDirError(RuntimeError):
    """A training would write where another one's files are."""


@contextmanager
def occupied(cfg: Config) -> Iterator[None]:
    """Lock the folders of a training while it runs, in its main process.

    The lock ends with the process that holds it, however that ends.

    Args:
        cfg: The config of a training about to start, with ``work_dir``, and with
            ``resume`` and ``load_from`` if it resumes.

    Raises:
        WorkDirError: If another training runs there, or another experiment's
            checkpoints are there; the message describes them. Resuming from them is
            not another experiment, and neither is restarting the same one.
        OSError: If a folder cannot be created or written to.
    """
    if cfg.get('launcher', 'none') != 'none' and _rank() != 0:
        yield
        return
    folders = {
        'work_dir': str(cfg.work_dir),
        'default_hooks.checkpoint.out_dir': checkpoint_folder(cfg),
    }
    with ExitStack() as held:
        seen: set[Path] = set()
        for name, folder in folders.items():
            if '://' not in folder and Path(folder).resolve() not in seen:
                seen.add(Path(folder).resolve())
                file = held.enter_context(_opened(name, Path(folder)))
                _claim(file, Path(folder), cfg)
        yield


def _rank() -> int:
    return next((int(os.environ[name]) for name in RANKS if name in os.environ), 0)


@contextmanager
def _opened(name: str, folder: Path) -> Iterator[TextIO]:
    """The folder's record, open for reading and writing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / RECORD).open('a+')
    except OSError as error:
        raise OSError(
            f'{name}: cannot write to the folder {str(folder)!r}: {error}'
        ) from error
    with file:
        yield file


def _claim(file: TextIO, folder: Path, cfg: Config) -> None:
    """Lock a folder's record and write this training's, if the folder is free."""
    if not locked(file):
        there = _read(file)
        raise WorkDirError(
            f'{folder} is in use: process {there.get("process")} on '
            f'{there.get("host")} has trained {there.get("config")} there since '
            f'{there.get("since")}. Pass another --work-dir, or wait for it to end.'
        )
    parts = {part: without(cfg.get(part), BESIDE_THE_POINT) for part in PARTS}
    own = json.loads(json.dumps(parts, default=str))
    if not _goes_on_there(cfg, folder):
        _refuse_another(folder, _read(file), own, cfg)
    record = dict(
        config=str(cfg.filename),
        process=os.getpid(),
        host=socket.gethostname(),
        since=time.strftime('%Y-%m-%d %H:%M:%S'),
        experiment=own,
    )
    file.seek(0)
    file.truncate()
    json.dump(record, file, indent=1)
    file.flush()


def _goes_on_there(cfg: Config, folder: Path) -> bool:
    """Whether the training resumes from a checkpoint in the folder."""
    start = cfg.get('load_from') if cfg.get('resume') else None
    return start is not None and Path(start).resolve().parent == folder.resolve()


def _refuse_another(
    folder: Path, there: Mapping[str, Any], own: Mapping[str, Any], cfg: Config
) -> None:
    names = {*map(pattern_of, (*NAMES, *checkpoint_names(cfg)))}
    patterns = names | {'best_*.pth', 'student.pth'}
    found = {file for pattern in patterns for file in folder.glob(pattern)}
    if not found:
        return
    experiment = there.get('experiment')
    if isinstance(experiment, Mapping):
        changed = [
            f'{place} is {_short(was)} (here {_short(now)})'
            for place, was, now in differences(experiment, own)
        ]
        what = f'that of {there.get("config")}, in which {"; ".join(changed[:3])}'
    else:
        # From another program, or from before mmkd wrote this file.
        known = (folder / Path(cfg.filename or '').name).is_file()
        changed = [] if known else ['unknown']
        what = 'which has no record there'
    if changed:
        newest = max(found, key=lambda file: file.stat().st_mtime_ns)
        raise WorkDirError(
            f'{folder} holds {len(found)} checkpoints of another experiment '
            f'({newest.name} is the newest), {what}. Training there would overwrite '
            'and remove them: pass another --work-dir, continue that experiment with '
            '--resume, or remove the folder.'
        )


def _read(file: TextIO) -> dict[str, Any]:
    file.seek(0)
    try:
        record = json.load(file)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
