"""Access to the runner's distiller."""

from mmengine.runner import Runner
from torch.distributed.fsdp import FullyShardedDataParallel

from mmkd.models.distiller import Distiller
from mmkd.resilience.runner_model import model_of


def distiller_of(runner: Runner) -> Distiller:
    """The runner's distiller, without its data-parallel wrapper.

    Raises:
        TypeError: If the model is not a distiller, or its parameters are sharded
            over processes.
    """
    if isinstance(runner.model, FullyShardedDataParallel):
        raise TypeError(
            'a distiller cannot be sharded, because its checkpoints hold a plain '
            f'student in one file; got {type(runner.model).__name__}. Leave out '
            "runner_type and strategy, or use strategy=dict(type='DDPStrategy')."
        )
    model = model_of(runner)
    if not isinstance(model, Distiller):
        raise TypeError(
            f'mmkd hooks need a Distiller, got the model {type(model).__name__}.'
        )
    return model
