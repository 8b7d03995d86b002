from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config

import mmkd
from mmkd.recording.notes import notes_of


def test_versions_of_all_that_makes_a_view_are_noted() -> None:
    loader = SimpleNamespace(batch_size=8)
    cfg = Config(dict(train_dataloader=dict(dataset=dict(data_root='data/a'))))
    runner: Any = SimpleNamespace(
        train_loop=SimpleNamespace(dataloader=loader), cfg=cfg
    )
    notes = notes_of(runner)
    versions = notes['versions']
    assert versions['mmkd'] == mmkd.__version__
    assert versions['torch'] == torch.__version__
    assert {'numpy', 'pillow', 'torchvision'} <= set(versions)
    assert any(name.endswith('mmengine') for name in versions)
    assert (notes['data_root'], notes['batch_size']) == ('data/a', 8)
