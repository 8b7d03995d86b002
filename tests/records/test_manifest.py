"""What a manifest says, and what it is compared with."""

import json
from collections.abc import Callable
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
    )
    assert manifest.differences(other) == [
        'views.seed is 3 in the record and 4 here',
        'pipeline.dataset.pipeline.0.type is "Flip" in the record and "Crop" here',
    ]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (None, r'is no record: it has no manifest\.json'),
        ('{', 'cannot be read'),
        ('[]', 'is damaged: .*format'),
        ({'format': FORMAT + 1, 'mmkd': '9.0'}, 'format is 2, made by mmkd 9.0'),
        ({'views': None}, None),
        ({'taps': [{'name': 'x'}]}, 'taps are damaged'),
        ({'taps': [dict(name='x', shape=[1], dtype='float8')]}, 'taps are damaged'),
    ],
)
def test_what_cannot_be_read(
    change: Any, message: str | None, record: Callable[..., Any]
) -> None:
    folder, _ = record()
    file: Path = folder / MANIFEST
    if change is None:
        file.unlink()
    elif isinstance(change, str):
        file.write_text(change)
    elif message is None:
        content = json.loads(file.read_text())
        content.pop('views')
        file.write_text(json.dumps(content))
        message = 'damaged: views is missing'
    else:
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(RecordError, match=message):
        read_manifest(folder)
