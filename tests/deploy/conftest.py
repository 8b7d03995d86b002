from collections.abc import Callable
from typing import Any

import pytest
import torch
from deployed import looks_trained
from mmengine.config import Config
from tiny_models import Tiny, task, tiny

from mmkd.deploy.network import Network
from mmkd.models import build_model

__all__ = ['task', 'tiny']


@pytest.fixture
def network(tiny: Tiny) -> Callable[..., Network]:
    """A tiny network for a task, with weights that look trained."""

    def make(task: str, **settings: Any) -> Network:
        torch.manual_seed(0)
        model = looks_trained(build_model(tiny.model(task)))
        return Network(model, ('cat', 'dog', 'eel', 'fox'), **settings)

    return make


@pytest.fixture
def nothing() -> Config:
    """A config without data."""
    return Config(dict(model={}))
