import sys
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.config.experiments import (
    CONFIGS,
    drop_parts,
    load_config,
    name_missing_hooks,
    set_methods,
    set_values,
)

PAIRS = sorted(file.stem for file in (CONFIGS / '_base_/pairs').glob('*.py'))
DISTILLING = Config.fromfile(CONFIGS / '_base_/distill.py').distill_hooks
METHODS = sorted(file.stem for file in (CONFIGS / '_base_/methods').glob('*.py'))


def composed(pair: str, *methods: str, **values: Any) -> Config:
    cfg = load_config(pair)
    set_methods(cfg, methods)
    set_values(cfg, values)
    drop_parts(cfg)
    return cfg


@pytest.mark.parametrize(
    ('file', 'pair', 'methods'),
    [
        ('dhkd/deeplabv3_r18_cityscapes', 'deeplabv3_r18_cityscapes', ['dhkd']),
        ('dhkd/resnet34_resnet18_imagenet', 'resnet34_resnet18_imagenet', ['dhkd']),
        ('kd/resnet34_resnet18_imagenet', 'resnet34_resnet18_imagenet', ['kd']),
        ('mhkd/vgg13_vgg8_svhn', 'vgg13_vgg8_svhn', ['mhkd']),
        (
            'mhkd/resnet32x4_resnet8x4_mhkd+dhkd_cifar100',
            'resnet32x4_resnet8x4_cifar100',
            ['mhkd', 'dhkd'],
        ),
        ('dist/deeplabv3_r18_cityscapes', 'deeplabv3_r18_cityscapes', ['dist']),
        (
            'crd/vgg13_vgg8_crd+mhkd_cifar100',
            'vgg13_vgg8_cifar100',
            ['mhkd', 'crd'],
        ),
    ],
)
def test_the_command_line_says_what_a_file_says(
    file: str, pair: str, methods: list[str]
) -> None:
    cfg = load_config(f'mmkd::{file}.py')
    drop_parts(cfg)
    assert composed(pair, *methods).to_dict() == cfg.to_dict()


@pytest.mark.parametrize('pair', PAIRS)
def test_none_is_the_students_own_config(pair: str) -> None:
    """Everything else is the pair's."""
    alone, with_methods = composed(pair, 'none'), composed(pair, 'dhkd')
    student = with_methods.model.student
    assert alone.model == student
    hooks = with_methods.default_hooks
    for name in DISTILLING.keys() - {'export_student', 'layout'}:
        del hooks[name]
    assert alone.default_hooks == hooks
    with_methods.optim_wrapper.pop('constructor')
    for key in (*alone,):
        if key != 'model':
            assert alone[key] == with_methods[key], key


def test_the_pairs_setting_goes_before_the_methods() -> None:
    plain = composed('resnet32x4_resnet8x4_cifar100', 'reviewkd', 'dkd')
    other = composed('resnet32x4_shufflenetv2_cifar100', 'reviewkd')
    small = composed('vgg13_vgg8_cifar100', 'dkd')
    assert plain.model.methods.reviewkd.weight == 5.0
    assert other.model.methods.reviewkd.weight == 8.0
    assert plain.model.methods.dkd.loss.beta == 8.0
    assert small.model.methods.dkd.loss.beta == 6.0
    assert plain.model.methods.reviewkd.source == 'published'
    assert other.model.methods.reviewkd.source == "pair's"


OWN_PAIR = """
_base_ = ['mmkd::students/{student}.py', 'mmkd::_base_/distill.py']
model = _base_.distiller | dict(
    student={{{{_base_.model}}}}, teacher=dict(config='t.py', checkpoint='t.pth'))
settings = dict({settings})
"""


@pytest.mark.parametrize(
    ('student', 'settings', 'expected'),
    [
        ('deeplabv3-w16_camvid', '', (0.5, 'per pixel', 1.0)),
        ('deeplabv3-w16_camvid', 'kd=dict(weight=2, source="own")', (2, 'own', 1.0)),
        ('resnet8_tin100', '', (0.9, 'published', 4.0)),
    ],
)
def test_any_pair_of_segmentors_has_the_settings_per_pixel(
    student: str, settings: str, expected: tuple[float, str, float], tmp_path: Path
) -> None:
    file = tmp_path / 'pair.py'
    file.write_text(OWN_PAIR.format(student=student, settings=settings))
    methods = composed(str(file), 'kd', 'dist').model.methods
    assert (methods.kd.weight, methods.kd.source, methods.dist.loss.tau) == expected


def test_values_go_before_both() -> None:
    values = {'dual_head.weight': 0.5, 'dual_head.loss.tau': 4.0}
    cfg = composed('resnet34_resnet18_imagenet', 'dhkd', **values)
    assert cfg.model.methods.dual_head.source == 'changed'
    assert cfg.model.methods.dual_head.weight == 0.5
    assert cfg.model.methods.dual_head.loss == dict(type='BinaryKLNormLoss', tau=4.0)
    assert cfg.model.methods.dual_head.stop == 49


def test_methods_may_be_joined_as_a_comparison_names_them() -> None:
    expected = composed(PAIRS[0], 'dhkd', 'kd').model.methods
    assert composed(PAIRS[0], 'dhkd+kd').model.methods == expected


@pytest.mark.parametrize('pair', PAIRS)
def test_a_pair_sets_methods_that_exist(pair: str) -> None:
    known = set()
    for method in METHODS:
        known |= set(Config.fromfile(CONFIGS / f'_base_/methods/{method}.py'))
    assert set(load_config(pair).get('settings', {})) <= known


@pytest.mark.parametrize('pair', [PAIRS[0], 'resnet34_resnet18_imagenet'])
def test_the_dump_is_the_same_experiment(pair: str, tmp_path: Path) -> None:
    cfg = composed(pair, 'dhkd', 'kd')
    cfg.dump(tmp_path / 'dumped.py')
    again = load_config(str(tmp_path / 'dumped.py'))
    drop_parts(again)
    assert again.to_dict() == cfg.to_dict()
    assert not {'settings', 'dual_head', 'kd', 'distill_hooks'} & set(cfg)


@pytest.mark.parametrize(
    ('methods', 'message'),
    [
        (['fitnett'], r"unknown 'fitnett'\. Did you mean 'fitnet'"),
        (['dhkd', 'none'], '--method none .*no other method'),
        (['dhkd+none'], '--method none .*no other method'),
    ],
)
def test_unknown_methods(methods: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        composed(PAIRS[0], *methods)


def test_a_student_has_no_methods() -> None:
    with pytest.raises(ValueError, match='without a teacher'):
        composed('mmkd::students/resnet8_tin100.py', 'dhkd')


@pytest.mark.parametrize('name', ['dual_haed.weight', 'dual_head'])
def test_values_of_no_method(name: str) -> None:
    with pytest.raises(ValueError, match=rf"got '{name}'\. Did you mean 'dual_head'"):
        composed(PAIRS[0], 'dhkd', **{name: 1.0})


def test_values_without_a_method() -> None:
    with pytest.raises(ValueError, match=r'--set kd\.weight: there is no method'):
        composed(PAIRS[0], 'none', **{'kd.weight': 1.0})


@pytest.mark.parametrize(
    'name',
    [
        'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
        'mmpretrain::resnet/resnet18_8xb16_cifar10.py',
    ],
)
def test_configs_of_other_packages(name: str) -> None:
    assert Path(load_config(name).filename).name == Path(name).name


def test_the_nearest_pair_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="Did you mean 'deeplabv3_r18_city"):
        load_config('deeplabv3_r18_cityscape')


@pytest.mark.parametrize('folder', ["O'Brien", 'a "quoted" one', 'plain'])
def test_a_config_names_its_own_folder(folder: str, tmp_path: Path) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / 'own.py').write_text(
        "model = dict(type='A')\none = '{{ fileDirname }}/a.py'\n"
        'two = "{{fileBasenameNoExtension}}{{fileExtname}}"\n'
    )
    cfg = load_config(str(place / 'own.py'))
    assert cfg.one == f'{place}/a.py'
    assert cfg.two == 'own.py'


@pytest.mark.parametrize(
    ('change', 'advice'),
    [
        ('dual_head = dict(weight=3.0)', r'methods=dict\(dual_head='),
        ('settings = dict(dual_head=dict(weight=3.0))', r'methods=dict\(dual_head='),
        ('distill_hooks = dict(start_table=None)', r'default_hooks = dict'),
    ],
)
@pytest.mark.parametrize('between', [False, True])
def test_a_change_that_does_nothing_is_refused(
    change: str, advice: str, between: bool, tmp_path: Path
) -> None:
    name = 'mmkd::dhkd/vgg13_vgg8_cifar100.py'
    (tmp_path / 'child.py').write_text(f'_base_ = {name!r}\n{change}\n')
    (tmp_path / 'grandchild.py').write_text('_base_ = "child.py"\n')
    file = 'grandchild' if between else 'child'
    cfg = load_config(str(tmp_path / f'{file}.py'))
    with pytest.raises(ValueError, match=f'child.py changes .*{advice}'):
        drop_parts(cfg)


def test_settings_of_a_child_act_on_what_the_command_line_names(
    tmp_path: Path,
) -> None:
    (tmp_path / 'child.py').write_text(
        "_base_ = 'mmkd::dhkd/vgg13_vgg8_cifar100.py'\n"
        "settings = dict(dual_head=dict(weight=3.0, source='notebook'))\n"
    )
    cfg = composed(str(tmp_path / 'child.py'), 'dhkd')
    assert cfg.model.methods.dual_head.weight == 3.0
    assert cfg.model.methods.dual_head.source == 'notebook'


def test_methods_of_a_config_can_be_named_and_keep_their_settings(
    tmp_path: Path,
) -> None:
    (tmp_path / 'child.py').write_text(
        "_base_ = 'mmkd::dhkd/vgg13_vgg8_cifar100.py'\n"
        'model = dict(methods=dict(\n'
        '    dual_head=dict(weight=7.0),\n'
        "    extra=dict(type='LogitsKD', loss=dict(type='BinaryKLLoss'))))\n"
    )
    (tmp_path / 'claim.py').write_text(
        "_base_ = 'mmkd::_base_/pairs/vgg13_vgg8_cifar100.py'\n"
        "loss = dict(type='KLDivergenceLoss', tau=4.0)\n"
        "kd = dict(type='LogitsKD', loss=loss, weight=9.0, source='published')\n"
        'model = dict(methods=dict(kd=kd))\n'
    )
    claim = composed(str(tmp_path / 'claim.py'), 'kd')
    assert claim.model.methods.kd.weight == 9.0
    methods = composed(str(tmp_path / 'child.py'), 'dhkd+extra', 'kd').model.methods
    assert list(methods) == ['dual_head', 'extra', 'kd']
    assert methods.dual_head.weight == 7.0
    assert methods.extra.loss.type == 'BinaryKLLoss'
    # Written out, the settings of the file are the config's own, not the pair's.
    (tmp_path / 'plain.py').write_text(
        "_base_ = 'mmkd::kd/resnet34_resnet18_imagenet.py'\n"
        'own = dict(loss=dict(tau=4.0), weight=0.9, task_weight=0.1)\n'
        'model = dict(methods=dict(kd=own))\n'
    )
    (tmp_path / 'grandchild.py').write_text("_base_ = 'plain.py'\n")
    for name in ('plain', 'grandchild'):
        plain = composed(str(tmp_path / f'{name}.py'), 'kd').model.methods.kd
        assert (plain.weight, plain.loss.tau, plain.source) == (0.9, 4.0, 'changed')
    only = composed(str(tmp_path / 'child.py'), 'extra', **{'extra.weight': 2.0})
    assert list(only.model.methods) == ['extra']
    assert only.model.methods.extra.weight == 2.0
    with pytest.raises(ValueError, match=r"unknown 'extre'\. Did you mean 'extra'"):
        composed(str(tmp_path / 'child.py'), 'extre')


def test_a_tuple_of_schedulers_takes_options(tmp_path: Path) -> None:
    (tmp_path / 'child.py').write_text(
        "_base_ = 'mmkd::_base_/pairs/vgg13_vgg8_cifar100.py'\n"
        "param_scheduler = (dict(type='MultiStepLR', milestones=[3]),)\n"
    )
    cfg = load_config(str(tmp_path / 'child.py'))
    cfg.merge_from_dict({'param_scheduler.0.milestones': [2]})
    assert cfg.param_scheduler[0].milestones == [2]


def test_a_variable_that_its_own_file_uses_is_free(tmp_path: Path) -> None:
    (tmp_path / 'child.py').write_text(
        "_base_ = 'mmkd::_base_/pairs/vgg13_vgg8_cifar100.py'\n"
        "dual_head = dict(type='DualHead', weight=3.0)\n"
        'model = dict(methods=dict(dual_head=dual_head))\n'
    )
    cfg = load_config(str(tmp_path / 'child.py'))
    drop_parts(cfg)
    assert cfg.model.methods.dual_head.weight == 3.0
    assert 'dual_head' not in cfg


def test_hooks_that_a_config_by_hand_lacks_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    log = 'mmkd.config.experiments.print_log'
    monkeypatch.setattr(log, lambda text, *_: said.append(text))

    name_missing_hooks(composed('resnet20_resnet8_tin100', 'dhkd'))
    name_missing_hooks(composed('resnet20_resnet8_tin100', 'none'))
    assert not said
    cfg = composed('resnet20_resnet8_tin100', 'dhkd')
    cfg.custom_hooks = [cfg.default_hooks.pop('prepare_methods')]
    del cfg.default_hooks['check_teacher']
    cfg.default_hooks.start_table = None
    name_missing_hooks(cfg)
    [text] = said
    assert "lacks check_teacher=dict(type='mmkd.CheckTeacherHook')." in text


def test_a_student_with_imports_of_its_own_can_be_taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MMEngine refuses a key that two bases define, so the distillation has none."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'student_of_mine.py').write_text('')
    (tmp_path / 'student.py').write_text(
        "_base_ = 'mmkd::students/resnet8_tin100.py'\n"
        "custom_imports = dict(imports='student_of_mine')\n"
    )
    (tmp_path / 'pair.py').write_text(
        "_base_ = ['student.py', 'mmkd::_base_/distill.py']\n"
        'model = _base_.distiller | dict(student={{_base_.model}}, teacher=dict())\n'
    )
    cfg = load_config(str(tmp_path / 'pair.py'))
    assert cfg.custom_imports.imports == ['student_of_mine', 'mmkd.engine']
    assert 'student_of_mine' in sys.modules
    drop_parts(cfg)
    cfg.dump(tmp_path / 'dumped.py')
    assert load_config(str(tmp_path / 'dumped.py')).to_dict() == cfg.to_dict()
    alone = load_config('mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py')
    assert 'custom_imports' not in alone
