"""What was recorded, and of what."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mmkd.checkpoints.identity import differences
from mmkd.records.stored import StoredTap

FORMAT = 1
"""Number of the format that this mmkd writes, and the newest that it reads."""

MANIFEST = 'manifest.json'
SAMPLES = 'samples.txt'

NOTES = ('notes', 'mmkd')
"""What may differ between a record and what is made of it."""


class RecordError(ValueError):
    """A record is damaged, or of something else than is needed."""


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

    @property
    def shards(self) -> list[range]:
        """The rows of each shard."""
        starts = range(0, self.total, self.rows)
        return [range(n, min(n + self.rows, self.total)) for n in starts]

    def row(self, view: int, sample: int) -> int:
        """The number of the row of a sample's view."""
        return view * self.samples + sample

    def text(self) -> str:
        """As JSON."""
        return json.dumps({'format': FORMAT, **asdict(self)}, indent=1)

    def differences(self, other: 'Manifest') -> list[str]:
        """Where another one is of something else, field by field."""
        mine, theirs = asdict(self), asdict(other)
        for name in NOTES:
            mine.pop(name), theirs.pop(name)
        return told(mine, theirs)


def shard_name(number: int) -> str:
    """The name of a shard's file."""
    return f'shard_{number:06d}.npy'


def read_manifest(folder: str | Path) -> Manifest:
    """Read what a record is of.

    Args:
        folder: The record.

    Raises:
        RecordError: If there is none, it is damaged, or of a newer format.
    """
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise RecordError(
            f'{str(folder)!r} is no record: it has no {MANIFEST}. tools/record.py '
            'makes one.'
        ) from None
    except (OSError, ValueError) as error:
        raise RecordError(f'{path} cannot be read: {error}. {AGAIN}') from error
    made_by = content.get('format') if isinstance(content, dict) else None
    if isinstance(made_by, int) and made_by > FORMAT:
        raise RecordError(
            f'{path}: format is {made_by}, made by mmkd {content.get("mmkd")}, and '
            f'this mmkd reads formats up to {FORMAT}: install that version, or record '
            'again.'
        )
    names = [each.name for each in fields(Manifest)]
    if made_by != FORMAT or any(name not in content for name in names):
        missing = [name for name in ('format', *names) if name not in (content or ())]
        raise RecordError(
            f'{path} is damaged: {", ".join(missing) or "format"} is missing or wrong. '
            f'{AGAIN}'
        )
    try:
        taps = [
            StoredTap(**{**each, 'shape': tuple(each['shape'])})
            for each in content['taps']
        ]
    except (TypeError, KeyError, ValueError) as error:
        raise RecordError(f'{path}: taps are damaged ({error}). {AGAIN}') from error
    return Manifest(**{name: content[name] for name in names} | {'taps': taps})


AGAIN = (
    'The command of tools/record.py that made it mends it: it records again what is '
    'missing or damaged and leaves the rest.'
)
"""What to do about damage."""


def told(was: Any, now: Any, place: str = '') -> list[str]:
    """Where two parts of a manifest differ, and how, in words."""
    return [
        f'{where} is {_short(there)} in the record and {_short(here)} here'
        for where, there, here in differences(was, now, place)
    ]


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f'{text[:77]}...'
