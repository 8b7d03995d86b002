"""Fixtures: a tiny distiller and trainings of it."""

from collections.abc import Callable
from typing import Any

import pytest
from mmengine.runner import Runner
from tiny_models import task, tiny

from mmkd.models import Distiller

__all__ = ['distiller', 'runner_of', 'task', 'tiny']

METHODS = dict(dual_head=dict(type='DualHead'), kd=dict(type='LogitsKD'))


@pytest.fixture
def distiller(tiny: Any) -> Distiller:
    """An image classifier with a method that has parameters and one without."""
    return tiny.distiller('images', METHODS)


@pytest.fixture
def runner_of(tiny: Any) -> Callable[..., Runner]:
    """Build a runner of a classifier for 2 epochs of 2 iterations."""

    def build(model: Any, name: str = 'run', **settings: Any) -> Runner:
        return tiny.runner(model, 'images', name, **settings)

    return build
