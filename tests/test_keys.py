import pytest
from mmengine.config import Config

from mmkd.experiments import drop_parts, load_config
from mmkd.keys import check_options


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
