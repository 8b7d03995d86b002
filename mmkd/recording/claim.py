"""Locks and manifest of a folder that is being recorded into."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from mmkd.nearest import listed
from mmkd.records import Rows
from mmkd.records.manifest import (
    MANIFEST,
    SAMPLES,
    Manifest,
    RecordError,
    UnreadableError,
    read_manifest,
)
from mmkd.resilience.files import is_free, locked, whole_or_nothing

LOCK = 'part_{}_of_{}.lock'
"""The file that a recorder locks while it runs."""


REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Error numbers of a disk that is full or read-only."""


@contextmanager
def claimed(folder: Path, part: tuple[int, int]) -> Iterator[None]:
    """Lock a part of a record while it is made, in the main process.

    The lock ends with the process that holds it, however that ends. Other parts of the
    same split may be recorded into the same folder at the same time.

    Args:
        folder: The record; created if it is missing.
        part: Number of the part, from 1, and count of the parts.

    Raises:
        RecordError: If another recorder works on the same shards there, or the disk is
            full or cannot be written to.
    """
    if not is_main_process():
        yield
        return
    try:
        yield from _claimed(folder, part)
    except OSError as error:
        # Images or a cache elsewhere may be refused too.
        here = error.filename is not None and _is_made(str(error.filename), folder)
        full = error.errno in REFUSED and (here or error.filename is None)
        if not full and not (error.errno == errno.EACCES and here):
            raise
        raise RecordError(
            f'{str(folder)!r} cannot be written to: {error}. What was recorded there '
            'before is intact: make room, or pass another --out.'
        ) from error


def _is_made(name: str, folder: Path) -> bool:
    """Whether a file is a record's, or a folder that is made for it."""
    file, folder = Path(name).resolve(), folder.resolve()
    return file.is_relative_to(folder) or folder.is_relative_to(file)


def _claimed(folder: Path, part: tuple[int, int]) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    own = LOCK.format(*part)
    others = [path for path in folder.glob(LOCK.format('*', '*')) if path.name != own]
    shares = f'_of_{part[1]}.lock'
    for path in others:
        if not path.name.endswith(shares) and not is_free(path):
            raise _in_use(folder, path)
    with (folder / own).open('a+') as file:
        if not locked(file):
            raise _in_use(folder, folder / own)
        file.truncate(0)
        json.dump({'process': os.getpid(), 'host': socket.gethostname()}, file)
        file.flush()
        yield


def settled(folder: Path, manifest: Manifest, lines: list[str]) -> Manifest:
    """Write the manifest of a record, or check that it matches the existing one.

    If several parts start together, one writes it and the others wait. A damaged
    manifest is written again if existing shards match it.

    Args:
        folder: The record.
        manifest: Describes what to record.
        lines: A line for each sample.

    Returns:
        The manifest of the record, which its existing shards follow.

    Raises:
        RecordError: If something else was recorded there.
    """
    with (folder / f'{MANIFEST}.lock').open('a+') as file:
        locked(file, wait=True)
        return _settled(folder, manifest, lines)


def _settled(folder: Path, manifest: Manifest, lines: list[str]) -> Manifest:
    try:
        there = read_manifest(folder)
    except UnreadableError:
        _refuse_strange_shards(folder, manifest)
        for name, text in ((SAMPLES, '\n'.join(lines)), (MANIFEST, manifest.text())):
            with whole_or_nothing(folder / name) as partial:
                partial.write_text(text)
        return manifest
    wrong = there.differences(manifest)
    if wrong:
        raise RecordError(
            f'{str(folder)!r} holds another record: {listed(wrong, 4, "; ")}. Pass '
            'another --out, or remove it.'
        )
    return there


def _refuse_strange_shards(folder: Path, manifest: Manifest) -> None:
    rows = Rows(folder, manifest)
    faults = (rows.fault(shard, whole=True) for shard in range(len(manifest.shards)))
    if any(folder.glob('shard_*.npy')) and all(faults):
        raise RecordError(
            f'{str(folder)!r} has no readable {MANIFEST}, and its shards were not '
            'recorded by this command. Run the command that made them, with the same '
            'batch size, or pass another --out.'
        )


def _in_use(folder: Path, lock: Path) -> RecordError:
    try:
        holder: Any = json.loads(lock.read_text())
    except (OSError, ValueError):
        holder = {}
    return RecordError(
        f'{str(folder)!r} is being recorded into by process {holder.get("process")} on '
        f'{holder.get("host")} ({lock.name}): wait for it to end, or record another '
        '--part of the same split.'
    )
