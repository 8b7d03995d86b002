import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.checks import check_config
from mmkd.config.experiments import drop_parts, load_config, set_methods
from mmkd.resilience import protect


@cache
def _distillation(pair: str) -> Config:
    cfg = load_config(pair)
    set_methods(cfg, ['dhkd'])
    drop_parts(cfg)
    return cfg


@pytest.fixture
def changed() -> Callable[..., Config]:
    """A pair's config after changes from the command line."""

    def change(
        pair: str = 'deeplabv3-w48_deeplabv3-w16_camvid', **options: Any
    ) -> Config:
        cfg = copy.deepcopy(_distillation(pair))
        cfg.merge_from_dict({k.replace('__', '.'): v for k, v in options.items()})
        protect(cfg)
        return cfg

    return change


@pytest.fixture
def check(changed: Callable[..., Config]) -> Callable[..., None]:
    """Check a changed config."""

    def run(**options: Any) -> None:
        check_config(changed(**options))

    return run
