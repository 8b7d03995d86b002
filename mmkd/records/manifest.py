"""The manifest of a record: what was recorded, and from what."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from mmkd.checkpoints.identity import differences
from mmkd.records.stored import StoredTap

FORMAT = 1
"""Version of the format that this mmkd writes, and the newest that it reads."""

MANIFEST = 'manifest.json'
SAMPLES = 'samples.txt'

NOTES = ('notes', 'mmkd', 'rows')
"""Fields that do not count when manifests are compared."""

SUM = 'sha256'
"""The field of the file that holds the checksum of all others."""


class RecordError(ValueError):
    """A record is damaged, or is not the one that is needed."""


class UnreadableError(RecordError):
    """A folder has no valid manifest."""


@dataclass(frozen=True)
class Manifest:
    """Description of a record.

    Attributes:
        mmkd: The version of mmkd that made it.
        teacher: ``config``, ``checkpoint`` with the SHA-256 of the file, ``weights``
            (their fingerprint), ``classes`` in the order of the logits,
            ``num_classes``, ``settings`` of the config that determine how its classes
            are found, and ``score`` from the teacher check.
        views: ``seed`` and ``count``.
        pipeline: Everything in a config that determines a view.
        data: ``samples``, their number, and ``sha256`` of the list of them.
        inputs: ``shape`` of a network input, and ``hashes``: the SHA-256 of a few, by
            their row numbers.
        taps: How each tap is stored.
        rows: Rows per shard; the last shard may have fewer.
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
        """Rows of all shards: one for each view of each sample."""
        return self.samples * self.views['count']

    @cached_property
    def shards(self) -> list[range]:
        """The rows of each shard."""
        starts = range(0, self.total, self.rows)
        return [range(n, min(n + self.rows, self.total)) for n in starts]

    def row(self, view: int, sample: int) -> int:
        """The row number of a sample's view."""
        return view * self.samples + sample

    @cached_property
    def identity(self) -> str:
        """A hash of the fields that count when manifests are compared."""
        return _sum(self._compared())

    def text(self) -> str:
        """The manifest as JSON, with its checksum."""
        content = {'format': FORMAT, **asdict(self)}
        return json.dumps({SUM: _sum(content), **content}, indent=1)

    def differences(self, other: 'Manifest') -> list[str]:
        """How another manifest differs, field by field."""
        own, now = self._compared(), other._compared()
        now['pipeline'] = self.known_of(now['pipeline'])
        if own['teacher']['checkpoint'] is None:
            # It was read from a URL, and may be the same weights.
            now['teacher']['checkpoint'] = None
        return told(own, now)

    def known_of(self, pipeline: dict[str, Any]) -> dict[str, Any]:
        """A pipeline, with None for each part of it that this record lacks.

        Records of earlier versions lack the data preprocessor unless the student's own
        config had it.

        Args:
            pipeline: What determines the views of a training.
        """
        unknown = [name for name, value in self.pipeline.items() if value is None]
        found = {**pipeline, **dict.fromkeys(unknown)}
        own, now = (
            part.get('data_preprocessor') or {} for part in (self.pipeline, found)
        )
        if '_scope_' in own:
            # Theirs may also have it, which says nothing of the images.
            found['data_preprocessor'] = {**now, '_scope_': own['_scope_']}
        return found

    def _compared(self) -> dict[str, Any]:
        found = {k: v for k, v in asdict(self).items() if k not in NOTES}
        # The score depends on the device, and the file may have been renamed.
        checkpoint = found['teacher'].get('checkpoint') or {}
        found['teacher'] |= {'score': None, 'checkpoint': checkpoint.get('sha256')}
        return found


def shard_name(number: int) -> str:
    """The name of a shard's file."""
    return f'shard_{number:06d}.npy'


def read_manifest(folder: str | Path) -> Manifest:
    """Read the manifest of a record.

    Args:
        folder: The record.

    Raises:
        UnreadableError: If there is none, or it is damaged.
        RecordError: If it has a newer format.
    """
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise UnreadableError(
            f'{str(folder)!r} is not a record: it has no {MANIFEST}. Make one with '
            '`mmkd record`.'
        ) from None
    except (OSError, ValueError) as error:
        raise UnreadableError(f'{path} cannot be read: {error}. {AGAIN}') from error
    made_by = content.get('format') if isinstance(content, dict) else None
    if isinstance(made_by, int) and made_by > FORMAT:
        raise RecordError(
            f'{path}: format is {made_by}, made by mmkd {content.get("mmkd")}, but '
            f'this mmkd reads formats up to {FORMAT}: install that version, or record '
            'again.'
        )
    if made_by != FORMAT or content.pop(SUM, None) != _sum(content):
        raise UnreadableError(
            f'{path} is damaged: it does not match its checksum. {AGAIN}'
        )
    names = [each.name for each in fields(Manifest)]
    taps = [StoredTap(**{**e, 'shape': tuple(e['shape'])}) for e in content['taps']]
    return Manifest(**{name: content[name] for name in names} | {'taps': taps})


def _sum(content: dict[str, Any]) -> str:
    """The SHA-256 of its JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


AGAIN = (
    'To repair it, run the same `mmkd record` command again: it records what is '
    'missing or damaged and keeps the rest.'
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
