"""Images of the training set that nothing is trained on."""

from pathlib import Path

import pytest
from mmengine.registry import DATASETS, DefaultScope

from mmkd.compare.held_back import SHARE, hold_back
from mmkd.config.experiments import load_config, set_methods
from mmkd_demo.digits import write_digits

PAIR = str(Path(__file__).parents[2] / 'configs/demo/classification/pair.py')


@pytest.fixture
def digits(tmp_path: Path) -> str:
    write_digits(tmp_path / 'digits')
    return str(tmp_path / 'digits')


def test_a_fifth_is_held_back_and_scored(
    tmp_path: Path, digits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / 'tune' / 'pair.py'
    count = hold_back(PAIR, made, digits)
    cfg, whole = load_config(str(made)), load_config(PAIR)
    whole.train_dataloader.dataset.data_root = digits

    def files(dataset: object) -> list[str]:
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            built = DATASETS.build(dataset)
        return [built.get_data_info(number)['img_path'] for number in range(len(built))]

    held = files(cfg.val_dataloader.dataset)
    kept = files(cfg.train_dataloader.dataset)
    everything = files(whole.train_dataloader.dataset)
    assert sorted(held + kept) == sorted(everything)
    assert len(held) == count == round(SHARE * len(everything))
    # The folder is sorted by class: some images of each are held back.
    assert len({Path(file).parent.name for file in held}) == 10
    pipeline = cfg.val_dataloader.dataset.pipeline
    assert pipeline == whole.val_dataloader.dataset.pipeline
    assert cfg.settings == whole.settings

    first = made.read_text()
    monkeypatch.chdir(tmp_path)
    for way in (digits, 'digits', 'tune/../digits'):
        hold_back(PAIR, made, way)
        assert made.read_text() == first


@pytest.mark.parametrize('indices', [[5, 3, 8, 100, 7, 1, 2, 9, 11, 4], 10, -10])
def test_a_part_is_divided_within_itself(
    indices: object, tmp_path: Path, digits: str
) -> None:
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = '{PAIR}'\ntrain_dataloader = dict(dataset=dict(indices={indices}))"
    )
    assert hold_back(str(child), tmp_path / 'pair.py', digits) == 2
    whole, cfg = load_config(str(child)), load_config(str(tmp_path / 'pair.py'))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        whole.train_dataloader.dataset.data_root = digits
        full = DATASETS.build({**whole.train_dataloader.dataset, 'indices': None})
    places = range(len(full))
    known = indices if isinstance(indices, list) else list(places)
    if isinstance(indices, int):
        known = known[:indices] if indices > 0 else known[indices:]
    held = cfg.val_dataloader.dataset.indices
    kept = cfg.train_dataloader.dataset.indices
    assert sorted(held + kept) == sorted(known)


def test_validation_on_several_data_sets(tmp_path: Path, digits: str) -> None:
    """The held-out images are seen as all of them are, wrapped or not."""
    whole = load_config(PAIR)
    inner = whole.val_dataloader.dataset.to_dict()
    wrapped = dict(type='ConcatDataset', datasets=[inner, inner], _delete_=True)
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = '{PAIR}'\nval_dataloader = dict(dataset={wrapped!r})"
    )
    hold_back(str(child), tmp_path / 'pair.py', digits)
    cfg = load_config(str(tmp_path / 'pair.py'))
    assert cfg.val_dataloader.dataset.pipeline == inner['pipeline']
    assert cfg.val_dataloader.dataset.type == whole.train_dataloader.dataset.type


def test_methods_are_the_same_on_the_rest_of_the_images(
    tmp_path: Path, digits: str
) -> None:
    """Those that a config has changed itself, and those that a child's settings do."""
    (tmp_path / 'recipe.py').write_text(
        f"_base_ = ['{PAIR}', 'mmkd::_base_/methods/mhkd.py']\n"
        'model = dict(methods=dict(\n'
        '    kd=_base_.kd,\n'
        '    multi_head=_base_.multi_head | _base_.settings.multi_head))\n'
    )
    child = tmp_path / 'child.py'
    child.write_text(
        "_base_ = 'recipe.py'\nsettings = dict(multi_head=dict(weight=3.0))\n"
        'model = dict(methods=dict(kd=dict(weight=0.3)))\n'
    )
    hold_back(str(child), tmp_path / 'pair.py', digits)
    found = []
    for path in (child, tmp_path / 'pair.py'):
        cfg = load_config(str(path))
        set_methods(cfg, ['mhkd'])
        found.append(cfg.model.methods)
    assert found[0] == found[1]
    assert (found[0].multi_head.weight, found[0].kd.weight) == (3.0, 0.3)


def test_changes_of_the_images_count(tmp_path: Path, digits: str) -> None:
    changes = {
        'train_dataloader.dataset.indices': 50,
        'val_dataloader.dataset.pipeline': [],
        'train_cfg.max_epochs': 3,
    }
    assert hold_back(PAIR, tmp_path / 'pair.py', digits, changes) == 10
    cfg = load_config(str(tmp_path / 'pair.py'))
    assert cfg.val_dataloader.dataset.pipeline == []
    assert cfg.train_cfg == load_config(PAIR).train_cfg


def test_a_wrapped_data_set_is_refused(tmp_path: Path, digits: str) -> None:
    child = tmp_path / 'child.py'
    child.write_text(
        f"""_base_ = '{PAIR}'
train_dataloader = dict(dataset=dict(
    _delete_=True, type='RepeatDataset', times=2,
    dataset={{{{_base_.train_dataloader.dataset}}}}))
"""
    )
    with pytest.raises(ValueError, match=r'a RepeatDataset of .* cannot be divided'):
        hold_back(str(child), tmp_path / 'pair.py', digits)
