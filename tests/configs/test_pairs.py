from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmkd.models.teacher import model_dict

ROOT = Path(__file__).parents[2] / 'configs'
LIKE = [
    'resnet56_resnet20',
    'resnet110_resnet32',
    'resnet32x4_resnet8x4',
    'wrn40-2_wrn16-2',
    'wrn40-2_wrn40-1',
    'vgg13_vgg8',
]
UNLIKE = [
    'resnet32x4_shufflenetv1',
    'resnet32x4_shufflenetv2',
    'wrn40-2_shufflenetv1',
    'vgg13_mobilenetv2',
    'resnet50_mobilenetv2',
    'resnet50_vgg8',
]
MHKD = {
    'cifar100': [
        'wrn40-2_wrn16-2',
        'resnet110_resnet20',
        'vgg13_vgg8',
        'vgg13_mobilenetv2',
        'resnet32x4_shufflenetv2',
    ],
    'svhn': [
        'wrn40-2_wrn16-2',
        'resnet56_resnet20',
        'vgg13_vgg8',
        'mobilenetv2_vgg13',
        'shufflenetv2_resnet32x4',
    ],
}
SMALL = [
    *((pair, 'cifar100') for pair in {*LIKE, *UNLIKE, *MHKD['cifar100']}),
    *((pair, 'svhn') for pair in MHKD['svhn']),
]
# Batch, epochs, milestones and classes of both papers.
SETTINGS = {
    'cifar100': (64, 240, [150, 180, 210], 100),
    'svhn': (200, 150, [80, 110, 135], 10),
}


def load(method: str, pair: str, data: str) -> Config:
    return Config.fromfile(ROOT / method / f'{pair}_{data}.py')


def architecture(arch: str, classes: int) -> dict[str, Any]:
    model = Config.fromfile(ROOT / f'_base_/models/{arch}_cifar.py').model
    model.head.num_classes = classes
    return model.to_dict()


def first_rate(arch: str, data: str) -> float:
    if data == 'svhn':
        return 0.001
    return 0.01 if arch in ('mobilenetv2', 'shufflenetv1', 'shufflenetv2') else 0.05


@pytest.mark.parametrize(('pair', 'data'), sorted(SMALL))
def test_kd_defines_the_pair(
    pair: str, data: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    teacher, student = pair.split('_')
    batch, epochs, milestones, classes = SETTINGS[data]
    cfg = load('kd', pair, data)
    assert cfg.model.student.to_dict() == architecture(student, classes)
    checkpoint = f'work_dirs/{teacher}_{data}/epoch_{epochs}.pth'
    assert cfg.model.teacher.checkpoint == checkpoint
    # The teacher's config is found from any folder.
    monkeypatch.chdir(tmp_path)
    file = Path(cfg.model.teacher.config)
    assert file.resolve() == ROOT / f'teachers/{teacher}_{data}.py'
    expected = architecture(teacher, classes)
    found = model_dict(str(file))
    assert {key: found[key] for key in expected} == expected
    assert found.data_preprocessor == cfg.data_preprocessor
    assert cfg.model.methods == dict(kd=dict(type='LogitsKD', alpha=0.9))
    for arch, config in ((student, cfg), (teacher, Config.fromfile(file))):
        assert config.train_dataloader.batch_size == batch
        assert config.train_cfg.max_epochs == epochs
        assert config.param_scheduler.milestones == milestones
        assert config.optim_wrapper == dict(
            type='OptimWrapper',
            optimizer=dict(
                type='SGD',
                lr=first_rate(arch, data),
                momentum=0.9,
                weight_decay=5e-4,
            ),
        )


@pytest.mark.parametrize('pair', [*LIKE, *UNLIKE])
def test_dhkd_on_cifar100(pair: str) -> None:
    cfg, kd = load('dhkd', pair, 'cifar100'), load('kd', pair, 'cifar100')
    head = 'LinearClassifier' if pair in LIKE else 'MLPClassifier'
    assert cfg.model.methods == dict(
        dual_head=dict(
            type='DualHead',
            head=dict(type=head),
            loss=dict(type='BinaryKLNormLoss', tau=2.0),
            loss_weight=1.0,
        )
    )
    assert cfg.optim_wrapper.type == 'mmkd.GradientAlignOptimWrapper'
    assert cfg.optim_wrapper.optimizer == kd.optim_wrapper.optimizer
    assert cfg.model.teacher == kd.model.teacher


@pytest.mark.parametrize('pair', ['resnet34_resnet18', 'resnet50_mobilenetv1'])
def test_dhkd_on_imagenet(pair: str) -> None:
    cfg = load('dhkd', pair, 'imagenet')
    assert list(cfg.model.methods) == ['dual_head']
    assert cfg.model.methods.dual_head.loss_weight == 0.1
    assert list(cfg.optim_wrapper) == ['optimizer']
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.type == 'SGD'
    assert (optimizer.lr, optimizer.momentum) == (0.1, 0.9)
    assert optimizer.weight_decay == 1e-4
    assert cfg.param_scheduler.milestones == [30, 60, 90]
    assert cfg.train_cfg.max_epochs == 100
    assert cfg.custom_hooks[-1].schedules == dict(dual_head=dict(stop=50))
    assert [hook.type for hook in cfg.custom_hooks[:-1]] == [
        hook.type for hook in load('kd', pair, 'imagenet').custom_hooks
    ]


@pytest.mark.parametrize(
    ('pair', 'data', 'beta'),
    [
        *((pair, 'cifar100', 0.5) for pair in MHKD['cifar100']),
        *((pair, 'svhn', 5.0) for pair in MHKD['svhn']),
    ],
)
def test_mhkd_adds_to_kd(pair: str, data: str, beta: float) -> None:
    cfg, kd = load('mhkd', pair, data), load('kd', pair, data)
    methods = dict(kd.model.methods, multi_head=dict(type='MultiHead', beta=beta))
    assert cfg.model.methods == methods
    cfg.model.pop('methods')
    kd.model.pop('methods')
    assert cfg.to_dict() == kd.to_dict()
