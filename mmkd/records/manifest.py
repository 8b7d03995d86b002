"""What was recorded, and of what."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from mmkd.checkpoints.identity import differences
from mmkd.records.stored import StoredTap

FORMAT = 1
"""Number of the format that this mmkd writes, and the newest that it reads."""

MANIFEST = 'manifest.json'
SAMPLES = 'samples.txt'

NOTES = ('notes', 'mmkd', 'rows')
"""What may differ between a record and what is made of it."""

SUM = 'sha256'
"""The field of the file that holds the checksum of all others."""


class RecordError(ValueError):
    """A record is damaged, or of something else than is needed."""


class UnreadableError(RecordError):
    """A folder says nowhere what was recorded there."""


@dataclass(frozen=True)
class Manifest:
    """What a record is of.

    Attributes:
        mmkd: The version that has made it.
        teacher: What it is: ``config``, ``checkpoint`` with the SHA-256 of the file,
            ``weights``, the fingerprint, ``classes`` in the order of the logits,
            ``settings`` of the config that say how its classes are found, ``score``
            as the teacher check found it.
        views: ``seed`` and ``count``.
        pipeline: All of a config that makes a view.
        data: ``samples``, how many, and ``sha256`` of the list of them.
        inputs: ``shape`` of a network input, and ``hashes``: the SHA-256 of a few, by
            the numbers of their rows.
        taps: What is stored of each.
        rows: How many rows a shard has; the last may have fewer.
        notes: Versions, folders, batch size and optimiser, which do not matter.
    """

    mmkd: str
    teacher: dict[str, Any]
    views: dict[str, int]
    pipeline: dict[str, Any]
    data: dict[str, Any]
    inputs: dict[str, Any]
    taps: list[StoredTap]
    rows: int
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many samples the data set has."""
        return int(self.data['samples'])

    @property
    def total(self) -> int:
        """Rows of all shards: each view of each sample."""
        return self.samples * self.views['count']

    @cached_property
    def shards(self) -> list[range]:
        """The rows of each shard."""
        starts = range(0, self.total, self.rows)
        return [range(n, min(n + self.rows, self.total)) for n in starts]

    def row(self, view: int, sample: int) -> int:
        """The number of the row of a sample's view."""
        return view * self.samples + sample

    @cached_property
    def identity(self) -> str:
        """A string that records of the same share, and no others."""
        return _sum(self._compared())

    def text(self) -> str:
        """As JSON, with the checksum of it."""
        content = {'format': FORMAT, **asdict(self)}
        return json.dumps({SUM: _sum(content), **content}, indent=1)

    def differences(self, other: 'Manifest') -> list[str]:
        """Where another one is of something else, field by field."""
        return told(self._compared(), other._compared())

    def _compared(self) -> dict[str, Any]:
        found = {k: v for k, v in asdict(self).items() if k not in NOTES}
        # Another device finds another score, and a file may have another name.
        checkpoint = found['teacher'].get('checkpoint') or {}
        found['teacher'] |= {'score': None, 'checkpoint': checkpoint.get('sha256')}
        return found


def shard_name(number: int) -> str:
    """The name of a shard's file."""
    return f'shard_{number:06d}.npy'


def read_manifest(folder: str | Path) -> Manifest:
    """Read what a record is of.

    Args:
        folder: The record.

    Raises:
        UnreadableError: If there is none, or it is damaged.
        RecordError: If it is of a newer format.
    """
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise UnreadableError(
            f'{str(folder)!r} is no record: it has no {MANIFEST}. `mmkd record` '
            'makes one.'
        ) from None
    except (OSError, ValueError) as error:
        raise UnreadableError(f'{path} cannot be read: {error}. {AGAIN}') from error
    made_by = content.get('format') if isinstance(content, dict) else None
    if isinstance(made_by, int) and made_by > FORMAT:
        raise RecordError(
            f'{path}: format is {made_by}, made by mmkd {content.get("mmkd")}, and '
            f'this mmkd reads formats up to {FORMAT}: install that version, or record '
            'again.'
        )
    if made_by != FORMAT or content.pop(SUM, None) != _sum(content):
        raise UnreadableError(
            f'{path} is damaged: it has not the checksum that it was written with. '
            f'{AGAIN}'
        )
    names = [each.name for each in fields(Manifest)]
    taps = [StoredTap(**{**e, 'shape': tuple(e['shape'])}) for e in content['taps']]
    return Manifest(**{name: content[name] for name in names} | {'taps': taps})


def _sum(content: dict[str, Any]) -> str:
    """The SHA-256 of what JSON keeps of it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


AGAIN = (
    'The `mmkd record` that made it mends it: it records again what is '
    'missing or damaged and leaves the rest.'
)
"""What to do about damage."""


def told(was: Any, now: Any, place: str = '') -> list[str]:
    """Where two parts of a manifest differ, and how, in words."""
    # A tuple of a config is a list in a record.
    was, now = (json.loads(json.dumps(value, default=str)) for value in (was, now))
    return [
        f'{where} is {_short(there)} in the record and {_short(here)} here'
        for where, there, here in differences(was, now, place)
    ]


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f'{text[:77]}...'
