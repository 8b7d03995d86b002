from pathlib import Path
from unittest import mock

import pytest
from mmengine.config import Config

from mmkd.config.experiments import drop_parts, load_config
from mmkd.config.keys import check_names, check_options


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


def test_free_variables_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / 'a.py'
    names = 'train_pipeline', 'test_pipeline', 'data', 'optimizer', 'seed'
    file.write_text(''.join(f'{name} = 1\n' for name in names))
    check_names(Config.fromfile(file))


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
    assert log.called == warned
    if warned:
        assert "child.py changes 'norm'" in log.call_args.args[0]
