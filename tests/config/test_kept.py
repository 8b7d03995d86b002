"""A student's own modules and optimiser constructor in a distillation."""

from pathlib import Path
from typing import Any

import pytest

from mmkd.config.experiments import load_config, set_methods
from mmkd.config.reading import ConfigError

STUDENT = """
_base_ = 'mmkd::students/resnet8_tin100.py'
custom_imports = dict(imports=['layers_of_mine'])
optim_wrapper = dict(
    constructor='LayersOfMine', paramwise_cfg=dict(decay_rate=0.5))
"""
PAIR = """
_base_ = ['./student.py', 'mmkd::_base_/distill.py']
model = _base_.distiller | dict(
    student={{_base_.model}},
    teacher=dict(config='mmkd::teachers/resnet20_tin100.py', checkpoint='t.pth'))
default_hooks = _base_.distill_hooks
"""
LINES = {
    'both lines': """
custom_imports = _base_.distill_imports
optim_wrapper = _base_.distill_optim_wrapper
""",
    'neither': '',
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / 'layers_of_mine.py').write_text(
        'from mmengine.optim import DefaultOptimWrapperConstructor\n'
        'from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS\n'
        '@OPTIM_WRAPPER_CONSTRUCTORS.register_module(force=True)\n'
        'class LayersOfMine(DefaultOptimWrapperConstructor):\n'
        '    pass\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'student.py').write_text(STUDENT)
    return tmp_path


@pytest.mark.parametrize('lines', LINES)
@pytest.mark.parametrize('inherited', [False, True])
def test_they_are_the_same_with_and_without_a_teacher(
    folder: Path, lines: str, inherited: bool
) -> None:
    (folder / 'pair.py').write_text(PAIR + LINES[lines])
    (folder / 'child.py').write_text("_base_ = 'pair.py'\n")
    name = 'child.py' if inherited else 'pair.py'
    cfg = load_config(name)
    assert cfg.custom_imports['imports'] == (
        ['mmkd.engine', 'layers_of_mine']
        if lines == 'both lines'
        else ['layers_of_mine', 'mmkd.engine']
    )
    inner = dict(cfg.optim_wrapper.paramwise_cfg)
    inner.setdefault('constructor', cfg.optim_wrapper.constructor)
    assert inner == dict(decay_rate=0.5, constructor='LayersOfMine')
    alone = load_config(name)
    set_methods(alone, ['none'])
    wrapper: Any = alone.optim_wrapper
    assert wrapper.constructor == 'LayersOfMine'
    assert wrapper.paramwise_cfg == dict(decay_rate=0.5)


def test_what_the_student_itself_has_dropped_stays_away(folder: Path) -> None:
    (folder / 'parent.py').write_text(STUDENT.replace('layers_of_mine', 'no_module'))
    (folder / 'student.py').write_text(
        "_base_ = 'parent.py'\n"
        "custom_imports = dict(_delete_=True, imports=['layers_of_mine'])\n"
        "optim_wrapper = dict(_delete_=True, type='OptimWrapper',\n"
        "    optimizer=dict(type='SGD', lr=0.1))\n"
    )
    (folder / 'pair.py').write_text(PAIR + LINES['both lines'])
    cfg = load_config('pair.py')
    assert cfg.custom_imports['imports'] == ['mmkd.engine', 'layers_of_mine']
    assert 'paramwise_cfg' not in cfg.optim_wrapper


@pytest.mark.parametrize('student', [STUDENT, STUDENT.replace('decay_rate=0.5', '')])
def test_what_a_child_deletes_stays_away(folder: Path, student: str) -> None:
    (folder / 'student.py').write_text(student)
    (folder / 'pair.py').write_text(PAIR + LINES['both lines'])
    (folder / 'child.py').write_text(
        "_base_ = 'pair.py'\n"
        "custom_imports = {'_delete_': True, 'imports': ['mmkd.engine']}\n"
        "optim_wrapper = dict(_delete_=True, optimizer=dict(type='SGD', lr=0.1),\n"
        "    constructor='mmkd.DistillOptimWrapperConstructor')\n"
    )
    cfg = load_config('child.py')
    assert 'paramwise_cfg' not in cfg.optim_wrapper
    assert cfg.custom_imports['imports'] == ['mmkd.engine']


@pytest.mark.parametrize('settings', ['dict(_delete_=True, decay_rate=0.9)', 'None'])
def test_a_constructor_whose_settings_a_child_replaces(
    folder: Path, settings: str
) -> None:
    (folder / 'pair.py').write_text(PAIR + LINES['both lines'])
    (folder / 'child.py').write_text(
        f"_base_ = 'pair.py'\noptim_wrapper = dict(paramwise_cfg={settings})\n"
    )
    found = load_config('child.py').optim_wrapper.paramwise_cfg
    assert found.constructor == 'LayersOfMine'
    assert found.get('decay_rate') == (0.9 if 'dict' in settings else None)


def test_a_training_without_a_teacher_is_left_alone(folder: Path) -> None:
    (folder / 'parent.py').write_text(STUDENT.replace('layers_of_mine', 'no_module'))
    (folder / 'student.py').write_text(
        "_base_ = 'parent.py'\ncustom_imports = dict(imports=['mmkd.models'])\n"
    )
    (folder / 'pair.py').write_text(PAIR + LINES['both lines'])
    for name in ('student.py', 'pair.py'):
        imports = load_config(name).custom_imports['imports']
        assert 'mmkd.engine' in imports
        assert 'no_module' not in imports


def test_a_module_that_cannot_be_imported(folder: Path) -> None:
    text = STUDENT.replace("['layers_of_mine']", "['no_module'], **more")
    (folder / 'pair.py').write_text(PAIR + LINES['both lines'])
    (folder / 'student.py').write_text('more = {}\n' + text)
    with pytest.raises(ConfigError, match=r'student\.py, custom_imports: .*no_module'):
        load_config('pair.py')
    (folder / 'registered.py').write_text('raise KeyError("registered already")')
    (folder / 'student.py').write_text(STUDENT.replace('layers_of_mine', 'registered'))
    with pytest.raises(ConfigError, match=r'student\.py, custom_imports: KeyError'):
        load_config('pair.py')
    (folder / 'student.py').write_text('more = dict(allow_failed_imports=True)' + text)
    cfg = load_config('pair.py')
    assert cfg.custom_imports['imports'] == ['mmkd.engine', 'no_module']
    assert cfg.custom_imports['allow_failed_imports']


@pytest.mark.parametrize('value', ['None', '[]', '"mmkd.engine"'])
def test_imports_in_every_form(folder: Path, value: str) -> None:
    (folder / 'pair.py').write_text(PAIR + f'custom_imports = dict(imports={value})\n')
    assert 'mmkd.engine' in load_config('pair.py').custom_imports['imports']


def test_what_a_pair_names_itself_stays(folder: Path) -> None:
    (folder / 'pair.py').write_text(
        PAIR
        + "custom_imports = dict(imports=['mmkd.engine', 'json'])\n"
        + 'optim_wrapper = dict(\n'
        + "    constructor='mmkd.DistillOptimWrapperConstructor',\n"
        + "    paramwise_cfg=dict(constructor='DefaultOptimWrapperConstructor'))\n"
    )
    cfg = load_config('pair.py')
    assert cfg.custom_imports['imports'] == ['mmkd.engine', 'json']
    kind = cfg.optim_wrapper.paramwise_cfg.constructor
    assert kind == 'DefaultOptimWrapperConstructor'
