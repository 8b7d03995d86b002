from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('env_cfg__dist_cfg__timout', 9, r"env_cfg\.dist_cfg: .*'timout'.*'timeout'"),
        ('env_cfg__cudnn_benchmrk', True, "env_cfg: .*'cudnn_benchmark'"),
        ('env_cfg__mp_cfg__start_method', 'fork', "mp_cfg: .*'mp_start_method'"),
        ('log_level', 'LOUD', "log_level 'LOUD' is not DEBUG"),
        ('randomness__sed', 3, "randomness: .*'sed'.*'seed'"),
        ('auto_scale_lr__base_batch', 3, "auto_scale_lr: .*'base_batch_size'"),
        (
            'train_dataloader__dataset__data_prefix__img_pth',
            'x',
            r"train_dataloader\.dataset\.data_prefix: .*'img_pth'.*'img_path'",
        ),
        (
            'test_dataloader__dataset',
            dict(
                _delete_=True,
                type='RepeatDataset',
                dataset=dict(data_prefix=dict(seg_map_pth='')),
            ),
            r"test_dataloader\.dataset\.dataset\.data_prefix: .*'seg_map_path'",
        ),
        (
            'train_dataloader__dataset__metainfo__clases',
            ['a'],
            r"train_dataloader\.dataset\.metainfo: .*'clases'.*'classes'",
        ),
        (
            'optim_wrapper__paramwise_cfg__norm_decay_mul',
            0,
            "paramwise_cfg: .*'norm_decay_mult'",
        ),
        (
            'optim_wrapper__paramwise_cfg__custom_keys',
            {'backbone.layer1': dict(lr_mul=0.1)},
            r"custom_keys\['backbone\.layer1'\]: .*'lr_mult'",
        ),
        ('model__methods', dict(dual_head=None), '--method none is the student alone'),
        ('model__methods', dict(_delete_=True), '--method none is the student alone'),
        ('model__student__test_cfg__crop_sze', 1, "student.test_cfg: .*'crop_size'"),
    ],
)
def test_settings_that_nothing_reads(
    check: Callable[..., None], key: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(**{key: value})


def test_settings_that_others_may_read(check: Callable[..., None]) -> None:
    check(
        train_dataloader__dataset__data_prefix__clouds='x',
        optim_wrapper__paramwise_cfg=dict(layer_decay_rate=0.9, num_layers=12),
        model__student__test_cfg__temperature=2.0,
        env_cfg__dist_cfg=dict(backend='gloo', timeout=9, port=29500),
    )
