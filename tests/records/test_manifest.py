"""The content of a manifest, and comparisons with it."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmkd.records import RecordError, read_manifest
from mmkd.records.manifest import FORMAT, MANIFEST


def test_it_is_read_as_it_was_written(record: Callable[..., Any]) -> None:
    folder, manifest = record()
    assert read_manifest(folder) == manifest
    assert not manifest.differences(read_manifest(folder))


def test_another_is_told_field_by_field(record: Callable[..., Any]) -> None:
    _, manifest = record()
    other = replace(
        manifest,
        views=dict(seed=4, count=2),
        pipeline=dict(dataset=dict(type='D', pipeline=[dict(type='Crop')])),
        notes=dict(batch_size=9),
        mmkd='0.9',
        # A tuple of a config is a list in JSON.
        teacher=dict(manifest.teacher, classes=('a', 'b')),
    )
    assert manifest.differences(other) == [
        'views.seed is 3 in the record and 4 here',
        'pipeline.dataset.pipeline.0.type is "Flip" in the record and "Crop" here',
    ]


SCOPED = dict(flip_prob=0.5, _scope_='mmseg')


def test_what_an_earlier_version_left_out_is_not_compared(
    record: Callable[..., Any],
) -> None:
    _, manifest = record()
    old = replace(manifest, pipeline=dict(manifest.pipeline, data_preprocessor=None))
    flips = dict(manifest.pipeline, data_preprocessor=dict(flip_prob=0.5))
    new = replace(manifest, pipeline=flips)
    assert not old.differences(new)
    scoped = replace(new, pipeline=flips | dict(data_preprocessor=SCOPED))
    assert not scoped.differences(new)
    assert new.differences(old) == [
        'pipeline.data_preprocessor.flip_prob is 0.5 in the record and "not set" here'
    ]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (None, r'is not a record: it has no manifest\.json'),
        ('{', 'cannot be read'),
        ('[]', 'is damaged: it does not match its checksum'),
        ({'format': FORMAT + 1, 'mmkd': '9.0'}, 'format is 2, made by mmkd 9.0'),
        ({'views': {'seed': 3}}, 'is damaged'),
        ({'sha256': None}, 'is damaged'),
    ],
)
def test_what_cannot_be_read(
    change: Any, message: str, record: Callable[..., Any]
) -> None:
    folder, _ = record()
    file: Path = folder / MANIFEST
    if change is None:
        file.unlink()
    elif isinstance(change, str):
        file.write_text(change)
    else:
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(RecordError, match=message):
        read_manifest(folder)


def test_every_wrong_bit_is_found(record: Callable[..., Any]) -> None:
    folder, manifest = record()
    file: Path = folder / MANIFEST
    whole = file.read_bytes()
    for place in range(len(whole)):
        wrong = bytearray(whole)
        wrong[place] ^= 1 << place % 8
        file.write_bytes(wrong)
        with suppress(RecordError):
            # Only white space does not matter.
            assert read_manifest(folder) == manifest


def test_what_matters_has_one_identity(record: Callable[..., Any]) -> None:
    _, manifest = record()
    found = dict(score=dict(score=3.0), checkpoint=dict(name='b.pth', sha256=None))
    same = replace(
        manifest, teacher=manifest.teacher | found, notes=dict(batch_size=9), rows=7
    )
    assert not manifest.differences(same)
    assert manifest.identity == same.identity
    # A teacher read from a URL has no file to hash, though the same weights.
    file = manifest.teacher | dict(checkpoint=dict(name='c.pth', sha256='c'))
    assert not manifest.differences(replace(manifest, teacher=file))
    other = replace(manifest, teacher=manifest.teacher | dict(weights='v'))
    assert manifest.identity != other.identity
