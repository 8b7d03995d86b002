from argparse import Namespace

import pytest
from mmengine.config import Config

from mmkd.command_line import set_work_dir


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, 'work_dirs/pair'),
        (dict(method=['none']), 'work_dirs/pair_none'),
        (dict(method=['dhkd', 'kd']), 'work_dirs/pair_dhkd+kd'),
        (dict(method=['dhkd'], work_dir='own'), 'own'),
    ],
)
def test_every_experiment_has_a_folder(given: dict, expected: str) -> None:
    cfg = Config({})
    defaults = dict(config='configs/pair.py', work_dir=None)
    set_work_dir(cfg, Namespace(**{**defaults, **given}))
    assert cfg.work_dir == expected
