"""Access to the model inside the runner's wrapper."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def model_of(runner: Runner) -> Any:
    """The runner's model, without its data-parallel wrapper."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
