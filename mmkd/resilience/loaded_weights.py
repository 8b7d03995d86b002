"""Whether the weights that a runner is about to load are its model's."""

from typing import Any

from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from mmkd.checkpoints.weight_fit import check_beginning, load_whole
from mmkd.checkpoints.weights import weights_for
from mmkd.resilience.runner_model import model_of

TRAINING_ALONE = ('auxiliary_head.', 'methods.')
"""What the names of weights begin with that a student is tested without."""


def settle_weights(runner: Runner, checkpoint: dict[str, Any]) -> None:
    """Let ``state_dict`` be the model's weights, wherever the file has them.

    A training that begins with them may have another head; one that goes on, and
    a test, need all of them but those that training alone uses.

    Args:
        runner: The runner.
        checkpoint: What was read; changed in place.

    Raises:
        ValueError: If they are not the model's; the message names file and weights.
    """
    if isinstance(runner.model, FullyShardedDataParallel):
        return
    model, path = model_of(runner), runner._load_from
    source = f'the checkpoint {str(path)!r}' if path else 'the last checkpoint'
    if isinstance(model, BaseTTAModel):
        model = model.module
    try:
        checkpoint['state_dict'] = _checked(runner, model, checkpoint, source)
    except ValueError as error:
        way = 'default_hooks.guard=None takes what fits all the same.'
        raise ValueError(f'{error} {way}') from None


def _checked(
    runner: Runner, model: nn.Module, checkpoint: dict[str, Any], source: str
) -> dict[str, Tensor]:
    state = weights_for(model, checkpoint, source)
    meta = checkpoint.get('meta')
    if isinstance(runner._train_loop, BaseLoop) and not runner._resume:
        check_beginning(model, state, source)
    elif not (runner._resume and isinstance(meta, dict) and 'identity' in meta):
        # A checkpoint that says which training it is of is compared by that.
        load_whole(model, state, source, optional=TRAINING_ALONE)
    return state
