"""Whether the weights that a runner is about to load are its model's."""

from typing import Any

from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from mmkd.checkpoints.identity import meta_of
from mmkd.checkpoints.weight_fit import check_beginning, load_whole
from mmkd.checkpoints.weights import weights_for
from mmkd.resilience.runner_model import model_of
from mmkd.resilience.same_run import check_same_run

TRAINING_ALONE = ('auxiliary_head.', 'methods.')
"""What the names of weights begin with that a student is tested without."""


def settle_weights(runner: Runner, checkpoint: dict[str, Any]) -> None:
    """Let ``state_dict`` be the model's weights, wherever the file has them.

    A training that begins with them may have another head; one that goes on needs
    all of them, and a test those that training alone uses not.

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
        if runner._resume:
            # What a checkpoint says of itself tells more than its weights.
            check_same_run(runner, meta_of(checkpoint))
        way = 'default_hooks.guard=None takes what fits all the same.'
        raise ValueError(f'{error} {way}') from None


def _checked(
    runner: Runner, model: nn.Module, checkpoint: dict[str, Any], source: str
) -> dict[str, Tensor]:
    state = weights_for(model, checkpoint, source)
    if isinstance(runner._train_loop, BaseLoop) and not runner._resume:
        check_beginning(model, state, source)
    else:
        # A training of mmkd's has saved what it trains alone as well.
        own = runner._resume and 'identity' in meta_of(checkpoint)
        load_whole(model, state, source, optional=() if own else TRAINING_ALONE)
    return state
