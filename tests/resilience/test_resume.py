import os
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from mmengine.config import Config

from mmkd.checkpoints.loading import CheckpointError, check_whole, safe_load
from mmkd.resilience.resume import choose_checkpoint, newest_whole


def save(path: Path, iterations: Any = None) -> Path:
    """A checkpoint with the iterations in its name, or those given."""
    if iterations is None:
        iterations = int(re.findall(r'\d+', path.name)[-1])
    meta = dict(iter=iterations, epoch=iterations // 2)
    torch.save(dict(meta=meta, state_dict=dict(weight=torch.zeros(2000))), path)
    return path


def flip_a_bit(path: Path) -> None:
    """Change one number of the weights, which PyTorch loads anyway."""
    with ZipFile(path) as archive:
        (place,) = [
            record.header_offset
            for record in archive.infolist()
            if '/data/' in record.filename
        ]
    content = bytearray(path.read_bytes())
    content[place + 4000] ^= 16
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3000])


def empty(path: Path) -> None:
    path.write_bytes(b'')


DAMAGES = [flip_a_bit, truncate, empty]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A work directory with three checkpoints and a note of the newest."""
    for iteration in (8, 10, 12):
        save(tmp_path / f'iter_{iteration}.pth')
    save(tmp_path / 'best_mIoU_iter_99.pth')
    torch.save(dict(meta={}, state_dict={}), tmp_path / 'student.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_12.pth'))
    return tmp_path


def config(folder: Path, **settings: Any) -> Config:
    return Config(dict(dict(work_dir=str(folder), resume=True), **settings))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The logged lines."""
    lines: list[str] = []
    monkeypatch.setattr(
        'mmkd.resilience.resume.print_log', lambda text, *_: lines.append(text)
    )
    return lines


def test_the_one_that_holds_the_most_iterations(folder: Path, log: list[str]) -> None:
    """Regardless of its name, its time and the note."""
    for time, iteration in enumerate((12, 10, 8)):
        os.utime(folder / f'iter_{iteration}.pth', (time, time))
    cfg = config(folder)
    choose_checkpoint(cfg)
    assert cfg.load_from == str(folder / 'iter_12.pth')
    assert log == []
    save(folder / 'iter_9.pth', 100)
    choose_checkpoint(cfg := config(folder))
    assert cfg.load_from == str(folder / 'iter_9.pth')
    assert 'iter_9.pth, the intact' in log[0]
    assert 'not from iter_12.pth, which last_checkpoint' in log[0]


def test_ties_are_decided_by_epoch_and_name(folder: Path) -> None:
    for name in ('epoch_7.pth', 'epoch_6_iter_12.pth'):
        save(folder / name, 12)
    assert newest_whole(folder) == folder / 'iter_12.pth'


def test_a_note_of_another_folder_is_not_followed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = save(tmp_path_factory.mktemp('other') / 'iter_50.pth')
    (folder / 'last_checkpoint').write_text(str(elsewhere))
    choose_checkpoint(cfg := config(folder))
    assert cfg.load_from == str(folder / 'iter_12.pth')
    for path in folder.glob('*iter_*'):
        path.unlink()
    choose_checkpoint(cfg := config(folder))
    assert cfg.get('load_from') is None
    assert cfg.resume is False


def test_an_object_store_is_left_to_mmengine(folder: Path) -> None:
    hooks = dict(checkpoint=dict(out_dir='s3://bucket/runs'))
    named = f's3://bucket/runs/{folder.name}/iter_5.pth'
    for note, found in ((named, named), ('s3://other/iter_5.pth', None)):
        (folder / 'last_checkpoint').write_text(note)
        choose_checkpoint(cfg := config(folder, default_hooks=hooks))
        assert cfg.get('load_from') == found
        assert cfg.resume is (found is not None)


@pytest.mark.parametrize('number', ['{}', '{:02d}'])
def test_names_that_the_config_gives(number: str, folder: Path) -> None:
    save(folder / 'a[1]-20.pth')
    hooks = dict(checkpoint=dict(filename_tmpl=f'a[1]-{number}.pth'))
    choose_checkpoint(cfg := config(folder, default_hooks=hooks))
    assert cfg.load_from == str(folder / 'a[1]-20.pth')


def test_code_in_one_of_them_is_not_run(folder: Path, hostile: Any) -> None:
    hostile.path.rename(folder / 'iter_99.pth')
    assert newest_whole(folder) == folder / 'iter_12.pth'
    assert not hostile.marker.exists()


def test_a_moved_folder(folder: Path, tmp_path_factory: Any) -> None:
    moved = tmp_path_factory.mktemp('other') / 'moved'
    folder.rename(moved)
    cfg = config(moved)
    choose_checkpoint(cfg)
    assert cfg.load_from == str(moved / 'iter_12.pth')


@pytest.mark.parametrize('note', [None, '', 'none.pth'])
def test_without_a_note(note: str | None, folder: Path) -> None:
    (folder / 'last_checkpoint').unlink()
    if note is not None:
        (folder / 'last_checkpoint').write_text(note)
    assert newest_whole(folder) == folder / 'iter_12.pth'


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_one_is_passed_over(
    damage: Any, folder: Path, log: list[str]
) -> None:
    damage(folder / 'iter_12.pth')
    truncate(folder / 'iter_10.pth')
    cfg = config(folder)
    choose_checkpoint(cfg)
    assert cfg.load_from == str(folder / 'iter_8.pth')
    for name in ('iter_12.pth', 'iter_10.pth'):
        [line] = [line for line in log if str(folder / name) in line]
        assert line.endswith(f'Resuming from {folder / "iter_8.pth"}.')


def test_pytorch_takes_a_flipped_bit(folder: Path) -> None:
    """Otherwise the module would not be needed."""
    path = folder / 'iter_12.pth'
    flip_a_bit(path)
    assert not (safe_load(path)['state_dict']['weight'] == 0).all()
    with pytest.raises(CheckpointError, match=r'wrong checksum of .*/data/0'):
        check_whole(path)


def test_every_bit_counts(tmp_path: Path) -> None:
    """A wrong bit is detected, or does not change the tensors."""
    path = tmp_path / 'a.pth'
    torch.save(dict(weight=torch.arange(6.0)), path)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            check_whole(path)
            weight = safe_load(path)['weight']
        except CheckpointError:
            continue
        assert torch.equal(weight, torch.arange(6.0)), place


def test_all_are_damaged(folder: Path) -> None:
    for iteration in (8, 10, 12):
        truncate(folder / f'iter_{iteration}.pth')
    with pytest.raises(CheckpointError, match=r'iter_12.*iter_8.*No intact check'):
        choose_checkpoint(config(folder))


def test_there_is_none(tmp_path: Path, log: list[str]) -> None:
    cfg = config(tmp_path)
    choose_checkpoint(cfg)
    assert cfg.get('load_from') is None
    assert cfg.resume is False
    [line] = log
    assert f'no checkpoint to resume from in {tmp_path}' in line
    choose_checkpoint(cfg := config(tmp_path, resume='auto', load_from='student.pth'))
    assert (cfg.resume, cfg.load_from) == (False, 'student.pth')
    assert log[1].endswith('starts from student.pth.')


def test_the_one_asked_for_is_not_there(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'iter_14\.pth'):
        choose_checkpoint(config(folder, load_from=str(folder / 'iter_14.pth')))
    for left in ('s3://bucket/iter_14.pth', str(folder)):
        choose_checkpoint(cfg := config(folder, load_from=left))
        assert cfg.load_from == left


def test_weights_alone_are_nothing_to_go_on_from(folder: Path) -> None:
    asked = str(folder / 'student.pth')
    with pytest.raises(CheckpointError, match=r'student\.pth holds no .*iter_12\.pth'):
        choose_checkpoint(config(folder, load_from=asked))


@pytest.mark.parametrize('damage', DAMAGES)
def test_the_one_asked_for_is_damaged(damage: Any, folder: Path) -> None:
    asked = folder / 'iter_12.pth'
    damage(asked)
    advice = rf'{asked}.*--resume .*iter_10\.pth'
    with pytest.raises(CheckpointError, match=advice):
        choose_checkpoint(config(folder, load_from=str(asked)))


def test_the_only_one_asked_for_is_damaged(tmp_path: Path) -> None:
    path = save(tmp_path / 'iter_2.pth')
    truncate(path)
    with pytest.raises(CheckpointError, match='its folder has no intact one'):
        choose_checkpoint(config(tmp_path, load_from=str(path)))


def test_without_resume_nothing_is_chosen(folder: Path) -> None:
    cfg = config(folder, resume=False)
    choose_checkpoint(cfg)
    assert 'load_from' not in cfg


def test_the_folder_of_the_checkpoint_hook(folder: Path, tmp_path: Path) -> None:
    work_dir = tmp_path / 'logs' / folder.name
    work_dir.mkdir(parents=True)
    (work_dir / 'last_checkpoint').write_text(str(folder / 'iter_10.pth'))
    hooks = dict(checkpoint=dict(out_dir=str(folder.parent)))
    cfg = config(work_dir, default_hooks=hooks)
    choose_checkpoint(cfg)
    assert cfg.load_from == str(folder / 'iter_12.pth')
