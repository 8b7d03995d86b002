"""From the runner's model to the distiller."""

from mmengine.runner import Runner
from torch.distributed.fsdp import FullyShardedDataParallel

from mmkd.models.distiller import Distiller
from mmkd.resilience.runner_model import model_of


def distiller_of(runner: Runner) -> Distiller:
    """The runner's distiller, out of its data-parallel wrapper.

    Raises:
        TypeError: If the model is no distiller, or its parameters are sharded
            over processes.
    """
    if isinstance(runner.model, FullyShardedDataParallel):
        raise TypeError(
            'a distiller cannot be sharded: its checkpoints are plain students, '
            f'whole in one file, got {type(runner.model).__name__}. Leave '
            "runner_type and strategy out, or use strategy=dict(type='DDPStrategy')."
        )
    model = model_of(runner)
    if not isinstance(model, Distiller):
        raise TypeError(
            f'mmkd hooks act on a Distiller, got the model {type(model).__name__}.'
        )
    return model
