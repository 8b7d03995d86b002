"""Losses are pure: they import PyTorch and MMEngine's registry and change nothing."""

from fresh_python import run_python


def test_losses_import_little_and_change_nothing() -> None:
    process = run_python(
        """
import sys
import torch
import mmengine.registry
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

def state():
    parts = [torch, torch.nn, torch.ops, torch.hub, torch.serialization, Config]
    parts += [mmengine.registry, mmengine.utils, mmengine.config]
    return [dict(vars(part)) for part in parts], dict(MODULE2PACKAGE)

before, modules = state(), set(sys.modules)
from mmkd.models.losses import KLDivergenceLoss
assert state() == before
new = {name.split('.')[0] for name in set(sys.modules) - modules}
assert new <= {'mmkd'} | set(sys.stdlib_module_names), new
loaded = {name for name in sys.modules if name.startswith('mmkd.')}
assert all(name.startswith(('mmkd.models', 'mmkd.registry')) for name in loaded), loaded
assert 'mmengine.runner' not in sys.modules
teacher = torch.randn(8, 10)
assert KLDivergenceLoss()(teacher.clone(), teacher) == 0
"""
    )
    assert process.returncode == 0, process.stderr
