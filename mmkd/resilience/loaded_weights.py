"""Check that the weights a runner is about to load fit its model."""

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
"""Prefixes of weights that are not needed to test a student."""


def settle_weights(runner: Runner, checkpoint: dict[str, Any]) -> None:
    """Set ``state_dict`` to the model's weights, wherever the file has them.

    A training that starts from them may have a different head; a resumed one needs
    all of them, and a test all but those used only in training.

    Args:
        runner: The runner.
        checkpoint: The loaded checkpoint; changed in place.

    Raises:
        ValueError: If they do not fit the model; the message names file and weights.
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
            # The notes in a checkpoint explain more than its weights.
            check_same_run(runner, meta_of(checkpoint))
        way = 'To load what fits anyway, set default_hooks.guard=None.'
        raise ValueError(f'{error} {way}') from None


def _checked(
    runner: Runner, model: nn.Module, checkpoint: dict[str, Any], source: str
) -> dict[str, Tensor]:
    state = weights_for(model, checkpoint, source)
    if isinstance(runner._train_loop, BaseLoop) and not runner._resume:
        check_beginning(model, state, source)
    else:
        # mmkd's own checkpoints also hold the weights used only in training.
        own = runner._resume and 'identity' in meta_of(checkpoint)
        load_whole(model, state, source, optional=() if own else TRAINING_ALONE)
    return state
