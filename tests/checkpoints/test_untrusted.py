"""Files that would make MMEngine run, remove or follow what they name."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.fileio import load
from mmengine.hooks import CheckpointHook
from mmengine.runner import FlexibleRunner, Runner
from tiny_models import tiny

__all__ = ['tiny']

SAVE = dict(save_best='acc', rule='greater', interval=1)


class Command:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture
def trained(tiny: Any) -> Any:
    """A work directory's last checkpoint, and a function that changes it."""
    runner = tiny.runner(tiny.plain('images'), name='first', kind=FlexibleRunner)
    runner.train()
    path = Path(runner.work_dir, 'epoch_1.pth')

    def changed(change: Callable[[dict[str, Any]], None]) -> Path:
        content = torch.load(path, weights_only=False)
        change(content)
        torch.save(content, path.with_name('changed.pth'))
        return path.with_name('changed.pth')

    return changed


@pytest.mark.parametrize('kind', [Runner, FlexibleRunner])
def test_a_config_in_a_checkpoint_is_not_run(
    kind: Any, tiny: Any, trained: Any, tmp_path: Path
) -> None:
    def change(content: dict[str, Any]) -> None:
        code = f'open({str(tmp_path / "ran")!r}, "w").close()\n'
        content['meta']['config'] = code

    path = trained(change)
    runner = tiny.runner(
        tiny.plain('images'), kind=kind, load_from=str(path), resume=True
    )
    runner.train()
    assert runner.epoch == 2
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('several', [False, True])
def test_only_its_own_checkpoints_are_removed(
    several: bool, tiny: Any, trained: Any, tmp_path: Path
) -> None:
    """A checkpoint of this name in this folder is, whatever path is stored for it."""
    victims = [tmp_path / 'victim', tmp_path / 'best_acc.pth', tmp_path / 'run' / 'x']
    own = tmp_path / 'run' / 'best_acc_epoch_1.pth'
    elsewhere = tmp_path / 'elsewhere' / own.name
    names = [*map(str, victims), f'{own.parent}/best_acc/../..', None, 5]
    for folder in (*victims, tmp_path / 'run' / 'epoch_../../victim.pth'):
        folder.mkdir(parents=True)

    def hook(path: Any, steps: list[Any]) -> CheckpointHook:
        best = {'best_ckpt_acc' if several else 'best_ckpt': path}
        part = dict(keep_ckpt_ids=steps, **best)
        runner = tiny.runner(tiny.plain('images'))
        runner.message_hub.update_info_dict(part)
        settings = dict(SAVE, save_best=['acc', 'f1']) if several else SAVE
        made = CheckpointHook(**settings, max_keep_ckpts=1)
        made.before_train(runner)
        return made

    for name in names:
        found = hook(name, ['../../victim', 1])
        assert list(found.keep_ckpt_ids) == [1]
        best = found.best_ckpt_path_dict['acc'] if several else found.best_ckpt_path
        assert best is None or Path(best).parent == own.parent
    found = hook(str(elsewhere), ['1_iter_3'])
    best = found.best_ckpt_path_dict['acc'] if several else found.best_ckpt_path
    assert best == str(own)
    assert list(found.keep_ckpt_ids) == ['1_iter_3']
    assert all(victim.is_dir() for victim in victims)


def test_annotations_are_data(tmp_path: Path) -> None:
    good = dict(metainfo=dict(classes=('a',)), data_list=[dict(img_path='1', x=2.5)])
    for name, dump in (('a.pkl', pickle.dumps), ('a.yaml', yaml.dump)):
        marker, path = tmp_path / 'ran', tmp_path / name
        content = dump(good)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        assert load(path) == good
        assert BaseDataset(str(path), serialize_data=False).metainfo['classes'] == (
            'a',
        )
        content = dump(dict(good, extra=Command(marker)))
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises((ValueError, yaml.YAMLError), match='touch'):
            BaseDataset(str(path))
        assert not marker.exists()
    Config(dict(a=(1, 2))).dump(tmp_path / 'config.yaml')
    assert Config.fromfile(tmp_path / 'config.yaml').a == (1, 2)
