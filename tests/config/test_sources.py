from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.config.experiments import CONFIGS, load_config
from mmkd.config.sources import mark_changes, methods_of

BASE = 'resnet34_resnet18_imagenet.py'
DHKD = f"_base_ = 'mmkd::dhkd/{BASE}'\n"
PAIR = f"_base_ = ['mmkd::_base_/pairs/{BASE}', 'mmkd::_base_/methods/reviewkd.py']\n"


def source(path: Path, text: str, method: str) -> Any:
    path.write_text(text)
    return load_config(str(path)).model.methods[method].source


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ('', "pair's"),
        ('data_root = "elsewhere/"', "pair's"),
        ('model = dict(methods=dict(dual_head=dict(weight=0.5)))', 'changed'),
        ('model = dict(methods=dict(dual_head=dict(loss=dict(tau=9.0))))', 'changed'),
        (
            'model = dict(methods=dict(dual_head=dict(weight=0.5, source="a paper")))',
            'a paper',
        ),
    ],
)
def test_a_child_that_changes_a_setting_has_no_claim_to_its_source(
    changes: str, expected: str, tmp_path: Path
) -> None:
    child = tmp_path / 'child.py'
    assert source(child, DHKD + changes, 'dual_head') == expected
    # The same holds for a file that inherits from the child.
    grandchild = tmp_path / 'grandchild.py'
    assert source(grandchild, "_base_ = './child.py'", 'dual_head') == expected


@pytest.mark.parametrize(
    ('method', 'expected'),
    [
        ('_base_.reviewkd', 'published'),
        ('_base_.reviewkd | _base_.settings.reviewkd', 'published'),
        ('dict(_base_.reviewkd, weight=0.5)', 'changed'),
        ("dict(type='ReviewKD')", 'default'),
    ],
)
def test_a_method_put_together_by_hand(
    method: str, expected: str, tmp_path: Path
) -> None:
    text = f'{PAIR}model = dict(methods=dict(reviewkd={method}))'
    path = tmp_path / 'own.py'
    path.write_text(text)
    assert load_config(str(path)).model.methods.reviewkd.get('source', 'default') == (
        expected
    )


def test_changes_after_reading_are_seen_too() -> None:
    cfg = load_config(str(CONFIGS / 'dhkd' / BASE))
    before = cfg.copy().model.methods
    mark_changes(cfg, before)
    assert cfg.model.methods.dual_head.source == "pair's"
    cfg.merge_from_dict({'model.methods.dual_head.weight': 3.0})
    mark_changes(cfg, before)
    assert cfg.model.methods.dual_head.source == 'changed'


@pytest.mark.parametrize(
    'file',
    [
        str(file.relative_to(CONFIGS))
        for file in sorted(CONFIGS.rglob('*.py'))
        if '_base_' not in file.parts
    ],
)
def test_the_shipped_configs_claim_what_is_theirs(file: str) -> None:
    claimed = methods_of(Config.fromfile(CONFIGS / file))
    if claimed:
        sources = {name: m.get('source') for name, m in claimed.items()}
        read = methods_of(load_config(str(CONFIGS / file)))
        assert {name: m.get('source') for name, m in read.items()} == sources
