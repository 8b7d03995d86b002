"""The row of building: forward passes of the networks before training."""

from collections import Counter
from typing import Any

from mmengine.registry import init_default_scope
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from benchmarks.table import Row, row
from benchmarks.training import Workshop
from mmkd.models import Distiller
from mmkd.registry import MODELS

THREE = ('--method', 'dhkd', 'mhkd')
"""MHKD is two methods: its heads, and KD."""


def forwards(workshop: Workshop) -> Row:
    """Count the forward passes that building a distiller with three methods takes.

    Each run of a backbone counts, whichever copy of its model it is in.

    Args:
        workshop: Where a training of the pair starts.
    """
    runs: Counter[nn.Module] = Counter()

    def count(module: nn.Module, _: Any) -> None:
        runs[module] += 1

    cfg = workshop.config(*THREE)
    init_default_scope(cfg.default_scope)
    handle = register_module_forward_pre_hook(count)
    try:
        distiller: Any = MODELS.build(cfg.model)
    finally:
        handle.remove()
    assert isinstance(distiller, Distiller)
    own = distiller.backbone
    kind = type(distiller.teacher.model.backbone)
    others = sum(n for m, n in runs.items() if type(m) is kind and m is not own)
    return row(
        'forwards of a model to build three methods',
        workshop.pair.title,
        [max(runs[own], others)],
        2,
        'forwards',
    )
