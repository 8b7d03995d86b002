from pathlib import Path
from unittest import mock

import pytest
from mmengine.config import Config

from mmkd.config.experiments import drop_parts, load_config
from mmkd.config.keys import check_names, check_options
from mmkd.setup import setup


@pytest.fixture
def cfg() -> Config:
    cfg = load_config('mmkd::dhkd/vgg13_vgg8_cifar100.py')
    drop_parts(cfg)
    return cfg


@pytest.mark.parametrize(
    ('key', 'hint'),
    [
        ('dual_head.weight', r'--set dual_head\.weight='),
        ('train_dataloder.batch_size', "'train_dataloader'"),
        ('optimizer.lr', 'nothing reads'),
        ('randomnes.seed', "'randomness'"),
        ('settings.dual_head.weight', 'nothing reads'),
    ],
)
def test_keys_that_nothing_reads(cfg: Config, key: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f'--cfg-options {key}: .*{hint}'):
        check_options(cfg, {key: 1})


@pytest.mark.parametrize(
    'key',
    [
        'model.methods.dual_head.weight',
        'train_dataloader.batch_size',
        'auto_scale_lr.enable',
        'resume',
        'compile',
        'strategy.type',
        'env_cfg.dist_cfg.timeout',
        'model_wrapper_cfg.type',
    ],
)
def test_keys_that_a_runner_reads(cfg: Config, key: str) -> None:
    check_options(cfg, {key: 1})


VARIABLES = """
optimizer = dict(type='SGD', lr=0.1)
data_root = 'data/x'
classes = ('a', 'b')
num_classes = 2
patience = 2
optim_wrapper = dict(type='OptimWrapper', optimizer=optimizer)
train_dataloader = dict(
    dataset=dict(type='A', data_root=data_root, metainfo=dict(classes=classes)))
model = dict(type='B', decode_head=dict(num_classes=num_classes), depth=2)
"""


@pytest.mark.parametrize(
    ('key', 'place'),
    [
        ('optimizer.lr', r'optim_wrapper\.optimizer\.lr'),
        ('data_root', r'train_dataloader\.dataset\.data_root'),
        ('classes', r'train_dataloader\.dataset\.metainfo\.classes'),
        ('num_classes', r'change model\.decode_head\.num_classes\.'),
        ('patience', None),
    ],
)
def test_variables_that_the_config_has_used(
    key: str, place: str | None, tmp_path: Path
) -> None:
    (tmp_path / 'a.py').write_text(VARIABLES)
    cfg = Config.fromfile(tmp_path / 'a.py')
    if place is None:
        check_options(cfg, {key: 1})
        return
    with pytest.raises(ValueError, match=f'--cfg-options {key}: nothing .*{place}'):
        check_options(cfg, {key: 1})


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('train_dataloder', 'train_dataloader'),
        ('randomnes', 'randomness'),
        ('tset_dataloader', 'test_dataloader'),
        ('optim_wraper', 'optim_wrapper'),
        ('default_hook', 'default_hooks'),
    ],
)
def test_names_that_are_most_likely_misspelt(
    name: str, meant: str, tmp_path: Path
) -> None:
    base, file = tmp_path / 'base.py', tmp_path / 'a.py'
    base.write_text(f'{name} = dict(x=1)\n')
    file.write_text('_base_ = "base.py"\n')
    with pytest.raises(ValueError, match=f"a.py: .*'{name}'. Did you mean '{meant}'"):
        check_names(Config.fromfile(file))
    for use in (f'model = dict(x={name})', f'model = dict(x=_base_.{name})'):
        target = base if '_base_' not in use else file
        text = target.read_text()
        target.write_text(text + use + '\n')
        check_names(Config.fromfile(file))
        target.write_text(text)


def warnings_of(file: Path) -> list[str]:
    with mock.patch('mmkd.config.keys.print_log') as log:
        check_names(Config.fromfile(file))
    return [call.args[0] for call in log.call_args_list]


def test_variables_that_nothing_reads_are_named(tmp_path: Path) -> None:
    base, file = tmp_path / 'base.py', tmp_path / 'a.py'
    base.write_text('size = 3\nlr_config = dict(policy="poly")\n')
    file.write_text('_base_ = "base.py"\nhooks = []\nmodel = dict(size=_base_.size)\n')
    assert warnings_of(file) == [
        f"{file}: nothing reads 'hooks', 'lr_config' (now param_scheduler)."
    ]


def test_published_configs_have_names_of_their_own(tmp_path: Path) -> None:
    """MMSegmentation's config of BiSeNetV2 with OHEM misspells `model`."""
    setup()
    file = tmp_path / 'a.py'
    ohem = 'bisenetv2/bisenetv2_fcn_4xb4-ohem-160k_cityscapes-1024x1024.py'
    file.write_text(f'_base_ = "mmseg::{ohem}"\n')
    [warning] = warnings_of(file)
    assert "nothing reads 'models' Did you mean 'model'?" in warning
    pair = 'mmkd::_base_/pairs/deeplabv3_r18_cityscapes.py'
    file.write_text(f'_base_ = "{pair}"\nsettings = dict(kd=dict(weight=0.5))\n')
    assert not warnings_of(file)


@pytest.mark.parametrize(
    ('text', 'warned'),
    [
        ("norm = dict(type='BN')", True),
        ("norm = dict(type='BN')\nmodel = dict(neck=norm)", False),
        ("norm = dict(type='BN')\nmodel = dict(neck=_base_.norm)", False),
        ('size = 3', False),
        ('work_dir = "a"', False),
    ],
)
@pytest.mark.parametrize('between', [False, True])
def test_changes_of_variables_that_were_used_already(
    text: str, warned: bool, between: bool, tmp_path: Path
) -> None:
    (tmp_path / 'base.py').write_text(
        "norm = dict(type='SyncBN')\nmodel = dict(type='A', head=norm)\nsize = 2\n"
        "work_dir = 'b'\nwork = work_dir"
    )
    (tmp_path / 'child.py').write_text(f"_base_ = 'base.py'\n{text}\n")
    (tmp_path / 'grandchild.py').write_text("_base_ = 'child.py'\n")
    with mock.patch('mmkd.config.keys.print_log') as log:
        load_config(str(tmp_path / ('grandchild.py' if between else 'child.py')))
    told = [text for (text, *_), _ in log.call_args_list if 'has used' in text]
    assert len(told) == warned
    assert not warned or "child.py changes 'norm'" in told[0]


def test_the_variables_of_a_dump_are_done_with(tmp_path: Path) -> None:
    cfg = load_config('mmkd::dhkd/deeplabv3_r18_cityscapes.py')
    assert {'crop_size', 'optimizer', 'train_pipeline'} <= cfg.keys()
    dump = tmp_path / 'dump.py'
    cfg.dump(dump)
    with mock.patch('mmkd.config.keys.print_log') as log:
        load_config(str(dump))
    log.assert_not_called()
    # A near miss of a key is not taken for a variable.
    dump.write_text(f'{dump.read_text()}\ntrain_dataloder = dict(batch_size=1)\n')
    with pytest.raises(ValueError, match="nothing reads 'train_dataloder'"):
        load_config(str(dump))
