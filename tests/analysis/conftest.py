from collections.abc import Callable
from typing import Any

import pytest
from mmengine.dataset import pseudo_collate
from tiny_models import Noise, task, tiny
from torch.utils.data import DataLoader

from mmkd.analysis.trained import Trained

__all__ = ['task', 'tiny']


@pytest.fixture
def trained_of(tiny: Any) -> Callable[..., Trained]:
    """A model in place of a trained one, with eight images of noise."""

    def build(model: Any, task: str) -> Trained:
        images = Noise(tiny.batch(task, seed=5, count=8))
        loader = DataLoader(images, batch_size=3, collate_fn=pseudo_collate)
        return Trained(model.eval(), loader)

    return build
