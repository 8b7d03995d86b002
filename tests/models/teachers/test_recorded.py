from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmkd.checkpoints.identity import file_hash
from mmkd.models.discovery import OUTPUT
from mmkd.models.taps import Tap
from mmkd.models.teachers.frozen import FrozenTeacher
from mmkd.models.teachers.recorded import plain_model, tap_name
from mmkd.models.teachers.recorded_samples import AddRecorded
from mmkd.records import RecordError, StoredTap
from mmkd.records.manifest import MANIFEST, Manifest, shard_name
from mmkd.records.rows import fill, row_type

METHODS: dict[str, Any] = dict(kd=dict(type='LogitsKD'), rkd=dict(type='RKD'))
NAMES = ('cat', 'dog', 'eel', 'fox')


def write_record(
    folder: Path,
    teacher: FrozenTeacher,
    config: Any,
    tap: Tap,
    values: torch.Tensor,
    sha256: str | None = None,
) -> None:
    """A record of one tap for one batch; without a hash as if made from a URL."""
    stored = StoredTap(tap_name(tap), tuple(values.shape[1:]), 'float32')
    settings = dict(num_classes=None, classifier=None, classes=None)
    manifest = Manifest(
        mmkd='x',
        teacher=dict(
            config=plain_model(config),
            weights=teacher.identity,
            classes=list(NAMES),
            num_classes=len(NAMES),
            settings=settings,
            checkpoint=dict(name='teacher.pth', sha256=sha256),
        ),
        views=dict(seed=0, count=1),
        pipeline={},
        data=dict(samples=len(values), sha256='x'),
        inputs=dict(shape=[3, 16, 16], hashes={}),
        taps=[stored],
        rows=len(values),
    )
    folder.mkdir()
    (folder / MANIFEST).write_text(manifest.text())
    rows = range(len(values))
    array = np.zeros(len(values), row_type([stored]))
    fill(array, manifest, rows, {stored.name: stored.encode(values)}, rows)
    np.save(folder / shard_name(0), array)


def classes_in(checkpoint: str, names: Sequence[str]) -> None:
    saved = torch.load(checkpoint)
    torch.save(saved | dict(meta=dict(dataset_meta=dict(classes=names))), checkpoint)


def test_a_live_tap_has_the_classes_and_inputs_of_the_recorded_teacher(
    tiny: Any,
) -> None:
    """A teacher of another class order and normalisation, whose logits stay live."""
    config = tiny.model('images', width=8)
    config['data_preprocessor'] = dict(
        config['data_preprocessor'], mean=[0.0] * 3, std=[255.0] * 3
    )
    teacher = tiny.teacher(config)
    classes_in(teacher['checkpoint'], [NAMES[k] for k in (1, 0, 3, 2)])
    live = tiny.distiller('images', METHODS, teacher=teacher)
    live.teacher.classes.match(NAMES)
    data = live.data_preprocessor(tiny.batch('images'), True)
    taps = {t for m in live.named_methods.values() for t in m.taps_in_teacher}
    (feature,) = taps - {OUTPUT}
    expected = live.teacher(data['inputs'], taps)
    folder = tiny.folder / 'record'
    write_record(folder, live.teacher, config, feature, expected[feature])

    recorded = dict(
        type='RecordedTeacher',
        record=str(folder),
        checkpoint=teacher['checkpoint'],
        live=True,
    )
    mixed = tiny.distiller('images', METHODS, teacher=recorded).teacher
    mixed.classes.match(NAMES)
    add = AddRecorded(mixed.rows, mixed.needed)
    for number, sample in enumerate(data['data_samples']):
        add(dict(data_samples=sample), (0, 0, number), number)
    found = mixed(data['inputs'], taps, data['data_samples'])
    for tap in taps:
        assert torch.equal(found[tap], expected[tap]), tap


@pytest.mark.parametrize('hashed', [True, False])
def test_another_teachers_file_is_refused(
    hashed: bool, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, kd = tiny.model('images', width=8), dict(kd=METHODS['kd'])
    teacher = tiny.teacher(config)
    live = tiny.distiller('images', kd, teacher=teacher).teacher
    folder, sha256 = tiny.folder / 'record', file_hash(teacher['checkpoint'])
    values = torch.zeros(4, len(NAMES))
    write_record(folder, live, config, OUTPUT, values, sha256 if hashed else None)

    monkeypatch.setenv('HOME', str(tiny.folder))
    recorded = dict(type='RecordedTeacher', record=str(folder), live=True)
    for file in (teacher['checkpoint'], '~/teacher_1.pth', 'no/longer/there.pth'):
        tiny.distiller('images', kd, teacher=recorded | dict(checkpoint=file))
    other = Path(tiny.teacher(config, seed=7)['checkpoint'])
    for file in (str(other), f'~/{other.name}'):
        with pytest.raises(RecordError, match='is of another teacher: teacher'):
            tiny.distiller('images', kd, teacher=recorded | dict(checkpoint=file))


def test_a_live_tap_of_features_needs_no_classes(tiny: Any) -> None:
    config = tiny.model('images', width=8)
    methods = dict(fit=dict(type='FitNet'), rkd=METHODS['rkd'])
    teacher = tiny.teacher(config)
    classes_in(teacher['checkpoint'], ['car', 'bus', 'van', 'cab'])
    live = tiny.distiller('images', methods, teacher=teacher)
    (stored,) = live.named_methods['rkd'].taps_in_teacher
    write_record(
        tiny.folder / 'record', live.teacher, config, stored, torch.zeros(4, 2)
    )
    recorded = dict(
        type='RecordedTeacher',
        record=str(tiny.folder / 'record'),
        checkpoint=teacher['checkpoint'],
        live=True,
    )
    assert not tiny.distiller('images', methods, teacher=recorded).compares_classes
    with pytest.raises(ValueError, match='car'):
        tiny.distiller('images', dict(kd=METHODS['kd']), teacher=recorded)
