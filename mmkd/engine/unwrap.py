"""From the runner's model to the distiller in it."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.distributed.fsdp import FullyShardedDataParallel


def distiller_of(runner: Runner) -> Any:
    """The runner's distiller, out of its data-parallel wrapper.

    Raises:
        TypeError: If the model has neither a student nor methods, or its
            parameters are sharded over processes.
    """
    if isinstance(runner.model, FullyShardedDataParallel):
        raise TypeError(
            'a distiller cannot be sharded: its checkpoints are plain students, '
            f'whole in one file, got {type(runner.model).__name__}. Leave '
            "runner_type and strategy out, or use strategy=dict(type='DDPStrategy')."
        )
    wrapped = is_model_wrapper(runner.model)
    model = runner.model.module if wrapped else runner.model
    if not (hasattr(model, 'student') and hasattr(model, 'methods')):
        raise TypeError(
            f'mmkd hooks act on a Distiller, got the model {type(model).__name__}.'
        )
    return model
