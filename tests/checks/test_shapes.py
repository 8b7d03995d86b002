from typing import Any

import pytest
from mmengine.config import Config

from mmkd.checks import check_shapes

MODEL = dict(type='A')


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({}, 'has no model'),
        (dict(model={}), 'has no model'),
        (dict(model=['A']), r"model must be a dict, got \['A'\]"),
        (dict(model=MODEL, train_dataloader=[1]), 'train_dataloader must be a dict'),
        (dict(model=MODEL, val_dataloader={}), 'val_dataloader has no dataset'),
        (dict(model=MODEL, default_hooks=[1]), 'default_hooks must be a dict'),
        (dict(model=MODEL, default_hooks=dict(a=1)), r'default_hooks\.a must be'),
        (dict(model=dict(teacher='a.pth')), r"model\.teacher must .* 'a\.pth'"),
        (dict(model=dict(methods=['KD'])), r'model\.methods must be a dict'),
        (dict(model=dict(methods=dict(kd='KD'))), r"methods\.kd must .* got 'KD'"),
    ],
)
def test_what_must_be_a_dict(config: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        check_shapes(Config(config))


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(work_dir=3), 'work_dir must be a string, got 3'),
        (dict(load_from=3), 'load_from must be a string, got 3'),
        (dict(default_scope=[]), 'default_scope must be a string'),
        (dict(launcher='pytorchh'), "launcher must be one of 'none', .*'pytorchh'"),
        (dict(resume='maybe'), "resume must be .* one of 'auto', got 'maybe'"),
        (dict(custom_hooks={'0': {}}), 'custom_hooks must be a list'),
        (dict(val_dataloader=dict(dataset={}), val_evaluator={}), 'without val_cfg: '),
        (dict(train_cfg={}), 'train_cfg without train_dataloader and optim_wrapper'),
    ],
)
def test_what_a_runner_takes(config: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        check_shapes(Config(dict(model=MODEL, **config)))


def test_none_leaves_a_part_out() -> None:
    parts = dict(train_dataloader=None, optim_wrapper=None, default_hooks=dict(a=None))
    methods = dict(teacher={}, methods=dict(kd=None))
    check_shapes(Config(dict(model=MODEL | methods, work_dir=None, **parts)))
    check_shapes(Config(dict(model=MODEL, resume='auto', launcher='pytorch')))
