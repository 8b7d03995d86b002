from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmseg.apis import init_model

from mmkd.cli.training import merged_config, parse_args
from mmkd.models.build import build_model, student_dict
from mmkd.models.deploy import (
    drop_distillation,
    settle_preprocessor,
    student_config,
)


@pytest.fixture
def distillation() -> Config:
    return Config(
        dict(
            model=dict(
                type='mmkd.Distiller',
                student=dict(
                    type='Student',
                    decode_head=[dict(num_classes=19), dict(num_classes=19)],
                    auxiliary_head=dict(num_classes=19),
                ),
                teacher=dict(config='teacher.py', checkpoint=None),
                methods=dict(dual_head=dict(type='DualHead')),
            ),
            optim_wrapper=dict(
                constructor='mmkd.DistillOptimWrapperConstructor',
                paramwise_cfg=dict(constructor='Layers', decay=0.5),
                optimizer=dict(type='SGD'),
            ),
            default_hooks=dict(
                start_table=dict(type='mmkd.StartTableHook'),
                timer=dict(type='IterTimerHook'),
            ),
            custom_hooks=[
                dict(type='EMAHook'),
                dict(type='mmkd.GradientConflictHook'),
            ],
            custom_imports=dict(imports=['mmkd.engine', 'own']),
            test_dataloader=dict(dataset=dict(type='Streets')),
        )
    )


def test_the_student_trains_alone_with_all_else_equal(distillation: Config) -> None:
    student = distillation.model.student.to_dict()

    drop_distillation(distillation)

    assert distillation.model == student
    assert distillation.custom_hooks == [dict(type='EMAHook')]
    assert list(distillation.default_hooks) == ['timer']
    assert distillation.optim_wrapper == dict(
        constructor='Layers',
        paramwise_cfg=dict(decay=0.5),
        optimizer=dict(type='SGD'),
    )


def test_it_has_the_distillers_settings(distillation: Config) -> None:
    distillation.model.update(num_classes=5, data_preprocessor=dict(mean=[1.0]))

    drop_distillation(distillation)

    model = distillation.model
    counts = [head.num_classes for head in (*model.decode_head, model.auxiliary_head)]
    assert counts == [5, 5, 5]
    assert model.data_preprocessor == dict(mean=[1.0])


def test_a_contradiction_is_refused(distillation: Config) -> None:
    """The top level of a config, which a runner passes on, may contradict it."""
    distillation.model.student.data_preprocessor = dict(mean=[2.0])
    distillation.model.data_preprocessor = dict(mean=[1.0])

    with pytest.raises(ValueError, match=r'preprocessor\.mean is \[1\.0\] outside'):
        student_dict(distillation.model)


@pytest.mark.parametrize('settle', [settle_preprocessor, drop_distillation])
def test_a_preprocessor_beside_the_student_acts(
    distillation: Config, settle: Any
) -> None:
    """Where MMSegmentation's users set it."""
    distillation.model.student.data_preprocessor = dict(mean=[2.0], size=(8, 8))
    distillation.model.data_preprocessor = dict(size=(4, 4))
    distillation.data_preprocessor = dict(mean=[2.0], size=(8, 8))

    settle(distillation)

    expected = dict(mean=[2.0], size=(4, 4))
    model = distillation.model
    assert model.get('student', model).data_preprocessor == expected
    assert distillation.data_preprocessor == expected
    assert ('data_preprocessor' in model) == ('student' not in model)


def test_a_third_value_of_a_preprocessor_is_refused(distillation: Config) -> None:
    """As in a child config that changes the top level of a base with both."""
    distillation.model.student.data_preprocessor = dict(size=(8, 8))
    distillation.model.data_preprocessor = dict(size=(4, 4))
    distillation.data_preprocessor = dict(size=(6, 6))
    with pytest.raises(ValueError, match=r'size is \(6, 6\) and model\..* is \(4, 4\)'):
        settle_preprocessor(distillation)


PAIR = 'deeplabv3-w48_deeplabv3-w16_camvid'
STUDENT = Path(__file__).parents[2] / 'configs' / 'students' / 'deeplabv3-w16_camvid.py'


@pytest.mark.parametrize('command', [[PAIR, '--method', 'none'], [str(STUDENT)]])
def test_a_changed_preprocessor_that_the_model_ignores_is_refused(
    command: list[str],
) -> None:
    def merged(option: str) -> Config:
        return merged_config(parse_args([*command, '--cfg-options', option]))

    with pytest.raises(ValueError, match=r'mean is \[1, 2, 3\] outside the student'):
        merged('data_preprocessor.mean=[1,2,3]')
    with pytest.raises(ValueError, match=r'pad_size_divisor is 32 outside .* None'):
        merged('data_preprocessor.pad_size_divisor=32')
    cfg = merged('model.data_preprocessor.mean=[1,2,3]')
    assert cfg.model.data_preprocessor.mean == [1, 2, 3]
    known = cfg.model.data_preprocessor.std
    assert merged(f'data_preprocessor.std={known}'.replace(' ', '')).model


def test_a_model_without_a_preprocessor_takes_the_changed_one() -> None:
    changed = ['--cfg-options', 'data_preprocessor.mean=[1,2,3]']
    pair = 'resnet20_resnet8_tin100'
    cfg = merged_config(parse_args([pair, '--method', 'none', *changed]))
    assert cfg.data_preprocessor.mean == [1, 2, 3]
    assert 'data_preprocessor' not in cfg.model


def test_a_student_alone_is_refused_what_its_distillation_is(
    distillation: Config,
) -> None:
    """The Runner passes the preprocessor of the top level to a distiller."""
    distillation.model.student.data_preprocessor = dict(mean=[2.0])
    distillation.data_preprocessor = dict(mean=[1.0])
    with pytest.raises(ValueError, match=r'mean is \[1\.0\] outside the student'):
        drop_distillation(distillation)


def test_a_class_count_of_the_distillation_contradicts_nothing() -> None:
    """It reaches the student's preprocessor, which has then been compared."""
    student = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
    model = dict(type='mmkd.Distiller', student=student, num_classes=20, methods={})
    cfg = Config(dict(model=model, data_preprocessor=dict(num_classes=1000)))
    drop_distillation(cfg)
    assert cfg.model.data_preprocessor.num_classes == 20


def test_a_student_in_a_file(distillation: Config, tmp_path: Path) -> None:
    path = tmp_path / 'student.py'
    path.write_text(
        "default_scope = 'mmseg'\n"
        'data_preprocessor = dict(mean=[3.0])\n'
        "model = dict(type='Student', decode_head=dict(num_classes=19))\n"
    )
    distillation.model.student = str(path)

    drop_distillation(distillation)

    assert distillation.model == dict(
        type='Student',
        decode_head=dict(num_classes=19),
        data_preprocessor=dict(mean=[3.0]),
        _scope_='mmseg',
    )


def test_a_plain_config_is_left_as_it_is() -> None:
    hooks = [dict(type='mmkd.TrainingGuardHook')]
    cfg = Config(dict(model=dict(type='EncoderDecoder'), custom_hooks=hooks))

    drop_distillation(cfg)

    assert cfg.model == dict(type='EncoderDecoder')
    assert cfg.custom_hooks == hooks


def test_what_is_deployed_says_nothing_of_training(distillation: Config) -> None:
    before = distillation.to_dict()

    cfg = student_config(distillation)

    assert sorted(cfg) == ['custom_imports', 'model', 'test_dataloader']
    assert cfg.custom_imports.imports == ['own']
    assert distillation.to_dict() == before


def test_what_needs_mmkd_imports_it(distillation: Config) -> None:
    distillation.test_dataloader.dataset.type = 'mmkd.CIFAR100'

    cfg = student_config(distillation)

    assert cfg.custom_imports.imports == ['mmkd.engine', 'own']


def test_what_acts_in_training_alone_stays_there(distillation: Config) -> None:
    augmenting = dict(
        type='mmkd.CropFlipDataPreprocessor', padding=4, flip_prob=0.5, mean=[1.0]
    )
    distillation.data_preprocessor = augmenting
    distillation.model.student.data_preprocessor = augmenting

    cfg = student_config(distillation)

    plain = dict(type='mmpretrain.ClsDataPreprocessor', mean=[1.0])
    assert cfg.data_preprocessor == cfg.model.data_preprocessor == plain
    assert cfg.custom_imports.imports == ['own']
    assert distillation.data_preprocessor == augmenting
    drop_distillation(distillation)
    assert distillation.model.data_preprocessor == augmenting


def test_a_distillation_may_teach_as_its_student(tiny: Any, task: str) -> None:
    """Its config is available, and its checkpoint is that of a plain student."""
    first = tiny.distiller(task)
    config = dict(
        type='mmkd.Distiller', student=tiny.model(task), teacher={}, methods={}
    )

    assert build_model(config).state_dict().keys() == tiny.own_state(first).keys()


def test_a_distillation_serves_both_libraries_without_its_teacher(
    tiny: Any, task: str, tmp_path: Path
) -> None:
    student = tiny.plain(task)
    path = tmp_path / 'student.pth'
    meta = dict(dataset_meta=dict(classes=('a', 'b', 'c', 'd')))
    torch.save(dict(state_dict=student.state_dict(), meta=meta), path)
    config = Config(
        dict(
            model=dict(
                type='mmkd.Distiller',
                student=tiny.model(task),
                teacher=dict(config='elsewhere.py', checkpoint='elsewhere.pth'),
                methods=dict(dual_head=dict(type='DualHead')),
            )
        )
    )
    if task == 'pixels':
        model = init_model(config, str(path), device='cpu')
    else:
        model = get_model(config, pretrained=str(path), train_cfg=None)

    assert type(model) is type(student)
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(image), student.eval()(image))
