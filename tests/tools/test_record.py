"""Record a teacher and distil from the record, with the commands."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.transforms import TRANSFORMS, BaseTransform

from mmkd.checkpoints.loading import safe_load
from mmkd.models import Distiller, build_model
from mmkd.recording import plan, recorder
from mmkd.records import RecordError, read_manifest
from mmkd.records.manifest import MANIFEST, shard_name
from mmkd.report.groups import baseline_of, group_runs
from mmkd.report.settings import unequal
from mmkd.resilience.reading import CorruptSampleError
from mmkd.runs import read_run

CONFIGS = Path(__file__).parents[2] / 'configs'
PAIR = 'deeplabv3-w48_deeplabv3-w16_camvid'
TEACHER = CONFIGS / 'teachers' / 'deeplabv3-w48_camvid.py'
METHODS = ('dhkd', 'kd', 'cwd', 'dist')
TINY = (
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'train_cfg.val_interval=100',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.interval=4',
    'default_hooks.checkpoint.max_keep_ckpts=5',
)
CORRUPT = 'train_cfg.skip_corrupt=True'

Run = Callable[..., None]


@pytest.fixture(scope='session')
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    torch.manual_seed(0)
    torch.save(build_model(str(TEACHER)).state_dict(), path)
    return path


@pytest.fixture
def made(run_tool: Run, streets: Path, teacher: Path, tmp_path: Path) -> Any:
    """Make a record of four images in two views."""

    def make(
        *options: object,
        name: str = 'record',
        methods: tuple[str, ...] = METHODS,
        changes: tuple[str, ...] = (),
        data: Path = streets,
    ) -> Path:
        run_tool(
            'record.py',
            *(PAIR, '--method', *methods, '--data-root', data),
            *('--teacher', teacher, '--out', tmp_path / name, '--no-teacher-check'),
            *('--views', 2, '--dtype', 'float32', *options),
            *('--cfg-options', *TINY, *changes),
        )
        return tmp_path / name

    return make


@pytest.fixture
def trained(
    run_tool: Run, streets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Train for eight iterations, and return the losses and the weights."""

    def train(
        *options: object,
        name: str,
        methods: tuple[str, ...] = METHODS,
        changes: tuple[str, ...] = (),
        data: Path = streets,
        seed: int = 3,
    ) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
        seen: list[dict[str, float]] = []

        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            found = own_step(self, *args, **kwargs)
            seen.append({name: float(value) for name, value in found.items()})
            return found

        monkeypatch.setattr(Distiller, 'train_step', step)
        run_tool(
            'train.py',
            *(PAIR, '--method', *methods, '--data-root', data),
            *('--work-dir', tmp_path / name, '--no-teacher-check', *options),
            *('--cfg-options', *TINY, 'train_cfg.max_iters=8'),
            *(f'randomness.seed={seed}', *changes),
        )
        return seen, safe_load(tmp_path / name / 'iter_8.pth')['state_dict']

    own_step = Distiller.train_step
    return train


def assert_alike(one: Any, other: Any) -> None:
    assert one[0] == other[0]
    assert len(one[0]) == 8
    for name, value in one[1].items():
        assert torch.equal(value, other[1][name]), name


def test_a_float32_record_teaches_what_the_teacher_would(
    made: Any, trained: Any, teacher: Path
) -> None:
    """Bit for bit, for methods of all kinds, over several epochs, with any seed."""
    views = ('--views', 2, '--view-seed', 0)
    live = trained('--teacher', teacher, *views, name='live')
    record = made()
    # The teacher's checkpoint is not needed.
    assert_alike(trained('--recorded', record, name='recorded'), live)
    assert not any('teacher' in name for name in live[1])

    # One record serves other seeds and fewer methods.
    own = dict(methods=('kd',), seed=4)
    live = trained('--teacher', teacher, *views, name='live_4', **own)
    assert_alike(trained('--recorded', record, name='recorded_4', **own), live)


def test_a_report_compares_it_with_the_student_that_saw_the_same_views(
    made: Any, trained: Any, run_tool: Run, streets: Path, tmp_path: Path
) -> None:
    trained('--recorded', made(), name='recorded', methods=('kd',))
    same = ('--views', 2, '--view-seed', 0)
    for name, views in (('others', ()), ('same', same)):
        run_tool(
            'train.py',
            *(PAIR, '--method', 'none', '--data-root', streets, *views),
            *('--work-dir', tmp_path / name, '--cfg-options', *TINY),
            *('train_cfg.max_iters=8', 'randomness.seed=3'),
        )
    names = ('others', 'same', 'recorded')
    groups = group_runs([read_run(tmp_path / name) for name in names])
    found = baseline_of(groups[-1], groups)
    assert found is not None
    assert found.first.folder.name == 'same'
    assert unequal(found.first, groups[-1].first) == []


@pytest.mark.parametrize('dtype', ['float16', 'int8'])
def test_mixed_precision_reads_what_is_stored_in_half(
    dtype: str, made: Any, trained: Any
) -> None:
    record = made('--dtype', dtype)
    full, half = (
        trained('--recorded', record, *options, name='+'.join(options) or 'full')
        for options in ((), ('--amp',))
    )
    assert half[0][0]['loss'] == pytest.approx(full[0][0]['loss'], rel=0.05)


def test_a_record_of_other_batches_teaches_it_up_to_rounding(
    made: Any, trained: Any
) -> None:
    same, other = made(), made(name='b', changes=('train_dataloader.batch_size=4',))
    one, two = (
        trained('--recorded', record, name=f'on_{record.name}')
        for record in (same, other)
    )
    for mine, theirs in zip(one[0], two[0], strict=True):
        for name, value in mine.items():
            assert value == pytest.approx(theirs[name], rel=1e-5), name


def test_a_training_that_follows_a_record_goes_on_as_if_never_broken(
    made: Any, trained: Any, tmp_path: Path
) -> None:
    record = made()
    straight = trained('--recorded', record, name='straight')
    shutil.copytree(tmp_path / 'straight', tmp_path / 'broken')
    for file in ('iter_8.pth', 'student.pth', 'last_checkpoint'):
        (tmp_path / 'broken' / file).unlink()
    again = trained('--recorded', record, '--resume', name='broken')
    assert again[0] == straight[0][4:]
    for name, value in straight[1].items():
        assert torch.equal(value, again[1][name]), name

    # With another record it is another training.
    other = made('--dtype', 'int8', name='b')
    with pytest.raises(ValueError, match='is from another training: teacher was'):
        trained('--recorded', other, '--resume', name='broken')


def shards_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob('*.npy'))}


@pytest.fixture
def short_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, 'MOST_ROWS', 2)


@pytest.mark.usefixtures('short_shards')
def test_what_is_missing_or_damaged_is_recorded_again_alone(
    made: Any, trained: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    record = made()
    whole = shards_of(record)
    assert len(whole) == 4
    times = {name: (record / name).stat().st_mtime_ns for name in whole}

    (record / shard_name(1)).unlink()
    wrong = bytearray(whole[shard_name(2)])
    wrong[-7] ^= 4
    (record / shard_name(2)).write_bytes(wrong)
    with pytest.raises(RecordError, match=r'1 of the 4 shards.*shard_000001\.npy'):
        trained('--recorded', record, name='missing')
    (record / shard_name(1)).write_bytes(whole[shard_name(1)])
    with pytest.raises(RecordError, match=r'shard_000002\.npy is damaged'):
        trained('--recorded', record, name='damaged')
    (record / shard_name(1)).unlink()

    # Not by a command other than the one that started it.
    (record / MANIFEST).write_text('damaged')
    with pytest.raises(RecordError, match='were not recorded by this command'):
        made('--view-seed', 5)
    made()
    assert shards_of(record) == whole
    untouched = (shard_name(0), shard_name(3))
    for name in untouched:
        assert (record / name).stat().st_mtime_ns == times[name]
    assert 'shard_000002.npy is recorded again: row 1' in capsys.readouterr().out


@pytest.mark.usefixtures('short_shards')
def test_recording_goes_on_where_a_full_disk_stopped_it(
    made: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = shards_of(made(name='whole'))
    save, saved = np.save, []

    def refuse(file: Any, array: Any, **options: Any) -> None:
        if len(saved) == 2:
            raise OSError(28, 'No space left on device')
        saved.append(array)
        save(file, array, **options)

    with monkeypatch.context() as patch:
        patch.setattr(recorder.np, 'save', refuse)
        with pytest.raises(RecordError, match=r'shard_000002.* cannot be written.*No'):
            made()
    assert shards_of(tmp_path / 'record') == dict(list(whole.items())[:2])
    assert shards_of(made()) == whole

    with monkeypatch.context() as patch:
        usage = shutil._ntuple_diskusage(10, 10, 100)
        patch.setattr(plan.shutil, 'disk_usage', lambda _: usage)
        made()  # There is nothing left to write.
        (tmp_path / 'record' / shard_name(0)).unlink()
        with pytest.raises(RecordError, match=r'are still to be written .*free there'):
            made()


@pytest.mark.usefixtures('short_shards')
def test_parts_that_are_put_together_are_the_whole(made: Any, tmp_path: Path) -> None:
    whole = shards_of(made())
    parts = [made('--part', f'{n}/3', name=f'records/x_{n}') for n in (1, 2, 3)]
    assert [len(shards_of(part)) for part in parts] == [2, 1, 1]
    text = (CONFIGS.parent / 'docs' / 'record.md').read_text()
    [command] = re.findall(r'^mkdir -p records/x .*$', text, re.M)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert shards_of(tmp_path / 'records' / 'x') == whole
    manifest = read_manifest(tmp_path / 'record')
    assert not manifest.differences(read_manifest(tmp_path / 'records' / 'x'))


def test_a_record_of_something_else_is_named(
    made: Any,
    trained: Any,
    streets: Path,
    teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = made()
    # The same teacher, named otherwise.
    monkeypatch.setenv('HOME', str(teacher.parent))
    made('--teacher', f'~/{teacher.name}')
    cases: dict[str, tuple[tuple[object, ...], tuple[str, ...]]] = {
        r'train_cfg\.view_seed is 0 in the record and 5': (('--view-seed', 5), ()),
        r'train_cfg\.views is 2 in the record and 3': (('--views', 3), ()),
        r'pipeline\.dataset\.pipeline\.3\.cat_max_ratio is 0\.75 .* 0\.5': (
            (),
            ('train_dataloader.dataset.pipeline.3.cat_max_ratio=0.5',),
        ),
        r'pipeline\.data_preprocessor\.mean': (
            (),
            ('model.data_preprocessor.mean=[1,2,3]',),
        ),
    }
    for number, (message, (options, changes)) in enumerate(cases.items()):
        with pytest.raises(RecordError, match=message):
            trained('--recorded', record, *options, name=f'{number}', changes=changes)

    other = tmp_path / 'other.pth'
    torch.save(build_model(str(TEACHER)).state_dict(), other)
    with pytest.raises(RecordError, match=r'another teacher: teacher\.checkpoint is'):
        trained('--recorded', record, '--teacher', other, name='teacher')
    with pytest.raises(RecordError, match=r'holds another record: views\.count is 2'):
        made('--views', 1)

    with pytest.raises(RecordError, match=r'teacher\.precision is "float32" in'):
        made(changes=['model.teacher.dtype=bfloat16'])

    with pytest.raises(RecordError, match=r'not hold input of decode_head\.conv_seg'):
        trained('--recorded', record, name='tap', methods=('skd',))

    content = json.loads((record / MANIFEST).read_text())
    (record / MANIFEST).write_text(json.dumps(content | {'format': 99}))
    with pytest.raises(RecordError, match='format is 99'):
        trained('--recorded', record, name='newer')


def test_other_data_is_named_file_by_file(
    made: Any, trained: Any, streets: Path, tmp_path: Path
) -> None:
    record = made()
    data = tmp_path / 'data'
    shutil.copytree(streets, data)
    # In another place, but the same.
    trained('--recorded', record, name='elsewhere', data=data)

    images = data / 'leftImg8bit' / 'train' / 'town'
    image = images / '2_leftImg8bit.png'
    content = image.read_bytes()
    image.write_bytes(content + b'more')
    with pytest.raises(RecordError, match=r'sample 2 is .*2_left.* and .*2_left'):
        trained('--recorded', record, name='size', data=data)
    # A file of the same size with other pixels.
    image.write_bytes((images / '3_leftImg8bit.png').read_bytes())
    image.write_bytes(image.read_bytes().ljust(len(content), b'\0')[: len(content)])
    both = RecordError, CorruptSampleError
    with pytest.raises(both, match=r'inputs\.hashes|2_left'):
        trained('--recorded', record, name='pixels', data=data)
    image.write_bytes(content)

    image.rename(images / '7_leftImg8bit.png')
    label = data / 'gtFine' / 'train' / 'town' / '2_gtFine_labelTrainIds.png'
    label.rename(label.with_name('7_gtFine_labelTrainIds.png'))
    with pytest.raises(RecordError, match=r'sample 2 is .*2_left.* and .*3_left'):
        trained('--recorded', record, name='order', data=data)


def test_network_inputs_that_come_out_otherwise_are_named(
    made: Any, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example by another version of the image decoder."""
    record = made()
    manifest = read_manifest(record)
    manifest.inputs['hashes']['0'] = 'other'
    (record / MANIFEST).write_text(manifest.text())
    with pytest.raises(RecordError, match=r'inputs\.hashes: 1 of 8 recomputed'):
        trained('--recorded', record, name='run')


def test_a_corrupt_sample_is_recorded_as_what_took_its_place(
    made: Any, trained: Any, streets: Path, teacher: Path, tmp_path: Path
) -> None:
    data = tmp_path / 'data'
    shutil.copytree(streets, data)
    image = data / 'leftImg8bit' / 'train' / 'town' / '1_leftImg8bit.png'
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    skipping = dict(data=data, changes=(CORRUPT,))
    record = made(**skipping)
    live = trained(
        *('--teacher', teacher, '--views', 2, '--view-seed', 0), name='live', **skipping
    )
    assert_alike(trained('--recorded', record, name='recorded', **skipping), live)
    image.write_bytes(whole)
    with pytest.raises(RecordError, match=r'inputs\.hashes|was read for sample 1 when'):
        trained('--recorded', record, name='mended', **skipping)


def test_a_tap_that_is_too_large(made: Any, trained: Any, teacher: Path) -> None:
    with pytest.raises(ValueError, match=r'conv_seg, 128 x 10 x 10.*--limit 0\.04.'):
        made('--limit', 0.04, methods=('dhkd', 'skd'))
    with pytest.raises(ValueError, match=r"taps 'decode_head.conv_sag'.*Did you"):
        made('--live', 'decode_head.conv_sag', methods=('skd',))

    both = dict(methods=('dhkd', 'skd'))
    reduced = made('--reduce', 'decode_head.conv_seg=2', name='reduced', **both)
    [tap] = [t for t in read_manifest(reduced).taps if 'input' in t.name]
    assert (tap.shape, tap.held) == ((128, 10, 10), (128, 5, 5))
    trained('--recorded', reduced, name='on_reduced', **both)

    # The teacher stays live for one tap only.
    partly = made('--live', 'decode_head.conv_seg', name='partly', **both)
    assert [tap.name for tap in read_manifest(partly).taps] == ['output of the model']
    with pytest.raises(RecordError, match='pass --teacher too'):
        trained('--recorded', partly, name='without', **both)
    live, mixed = (
        trained(*options, '--teacher', teacher, name=f'on_{options[0]}', **both)
        for options in (('--views', 2, '--view-seed', 0), ('--recorded', partly))
    )
    for mine, theirs in zip(live[0], mixed[0], strict=True):
        for name, value in mine.items():
            assert value == pytest.approx(theirs[name], rel=1e-5), name


def test_what_storing_changes_is_printed(
    made: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        made('--check', 0)
    made('--check', 2)
    printed = capsys.readouterr().out
    pattern = r'^(\w+) +(\w+) +([\d,]+) bytes  loss (\S+)  gradient (\S+)$'
    found = {
        (method, dtype): (float(loss), float(gradient))
        for method, dtype, _, loss, gradient in re.findall(pattern, printed, re.M)
    }
    assert len(found) == len(METHODS) * 3
    for method in {method for method, _ in found}:
        exact, half, eighth = (
            found[method, dtype] for dtype in ('float32', 'float16', 'int8')
        )
        assert exact == (0.0, 0.0)
        assert 0 < half[1] < eighth[1] < 0.5
    assert not list((tmp_path / 'record').glob('*.npy'))


def test_a_record_is_the_students_of_no_teacher(
    run_tool: Run, streets: Path, tmp_path: Path
) -> None:
    student = CONFIGS / 'students' / 'deeplabv3-w16_camvid.py'
    for tool, option in (('record.py', '--out'), ('train.py', '--recorded')):
        with pytest.raises(ValueError, match='without a teacher'):
            run_tool(tool, student, option, tmp_path / 'x', '--data-root', streets)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            "custom_hooks=[dict(type='mmpretrain.SwitchRecipeHook', schedule=[])]",
            'SwitchRecipeHook changes the pipeline',
        ),
        (
            "train_dataloader['sampler'] = dict(type='mmpretrain.RepeatAugSampler')",
            'RepeatAugSampler may draw a sample at any time',
        ),
        (
            "train_dataloader['dataset'] = dict(_delete_=True, "
            "type='MultiImageMixDataset', dataset=dict(type='CityscapesDataset', "
            "pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')], "
            "data_prefix=dict(img_path='leftImg8bit/train', "
            "seg_map_path='gtFine/train')), pipeline=[dict(type='RandomMosaic', "
            "prob=1.0, img_scale=(64, 96)), dict(type='PackSegInputs')])",
            'RandomMosaic reads other samples',
        ),
        (
            "model = dict(student=dict(data_preprocessor=dict(batch_augments=[dict("
            "type='mmpretrain.Mixup', alpha=1.0)])))",
            'batch_augments',
        ),
    ],
)
def test_views_that_no_record_can_hold(
    changes: str,
    message: str,
    run_tool: Run,
    streets: Path,
    teacher: Path,
    tmp_path: Path,
) -> None:
    base = CONFIGS / 'dhkd' / 'deeplabv3-w48_deeplabv3-w16_camvid.py'
    config = tmp_path / 'own.py'
    config.write_text(
        f'_base_ = {str(base)!r}\ntrain_dataloader = dict(batch_size=2, num_workers=0, '
        f'persistent_workers=False)\n{changes}\n'
    )
    with pytest.raises(ValueError, match=message):
        run_tool(
            'record.py',
            *(config, '--data-root', streets, '--teacher', teacher),
            *('--out', tmp_path / 'x', '--no-teacher-check'),
        )
    assert not list((tmp_path / 'x').glob('*.npy'))


class Brighten(BaseTransform):
    """Draws from a generator of its own, which no view seeds."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        results['img'] = results['img'] + self.random.integers(9)
        return results


@pytest.mark.parametrize('within', [False, True])
def test_views_that_differ_when_they_are_read_again(
    within: bool, run_tool: Run, streets: Path, teacher: Path, tmp_path: Path
) -> None:
    own = "dict(type='Brighten')"
    if within:
        own = f"dict(type='RandomApply', transforms=[{own}], prob=1.0)"
    base = CONFIGS / 'dhkd' / 'deeplabv3-w48_deeplabv3-w16_camvid.py'
    config = tmp_path / 'own.py'
    config.write_text(
        f"_base_ = {str(base)!r}\n_base_.train_pipeline.insert(-1, {own})\n"
        'train_dataloader = dict(batch_size=2, num_workers=0, '
        'persistent_workers=False, dataset=dict(pipeline=_base_.train_pipeline))\n'
    )
    TRANSFORMS.register_module(module=Brighten)
    try:
        with pytest.raises(ValueError, match=r'not repeatable\. Brighten draws from'):
            run_tool(
                'record.py',
                *(config, '--data-root', streets, '--teacher', teacher),
                *('--out', tmp_path / 'x', '--no-teacher-check'),
            )
    finally:
        TRANSFORMS.module_dict.pop('Brighten')
    assert not (tmp_path / 'x' / MANIFEST).exists()
