"""Initial weights of a part of a model, from its ``init_cfg``."""

import logging
from collections.abc import Mapping
from functools import wraps
from typing import Any

from mmengine.logging import print_log
from mmengine.model import PretrainedInit
from mmengine.runner import checkpoint as checkpoint_io
from torch import Tensor, nn

from mmkd.checkpoints.weight_fit import check_values
from mmkd.checkpoints.weights import beginnings, listed


def check_pretrained_parts() -> None:
    """Make ``init_cfg=dict(type='Pretrained')`` refuse the file of another network.

    MMEngine would train from random weights and only list their names in a warning.
    """
    initialise = PretrainedInit.__call__

    @wraps(initialise)
    def initialise_checked(self: PretrainedInit, module: nn.Module) -> None:
        load = checkpoint_io.load_state_dict
        source = str(self.checkpoint)

        def load_checked(
            part: nn.Module, state: Mapping[str, Tensor], *args: Any, **kwargs: Any
        ) -> None:
            _check(part, state, source)
            load(part, state, *args, **kwargs)

        checkpoint_io.load_state_dict = load_checked
        try:
            initialise(self, module)
        except AssertionError as error:
            raise ValueError(f'init_cfg: {source}: {error}.') from None
        finally:
            checkpoint_io.load_state_dict = load

    PretrainedInit.__call__ = initialise_checked


def _check(part: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    own = part.state_dict()
    names = [name for name, value in own.items() if value.is_floating_point()]
    fitting = [
        name for name in names if name in state and state[name].shape == own[name].shape
    ]
    share = len(fitting) / max(len(names), 1)
    said = (
        f'init_cfg: {source} has {len(fitting)} of the {len(names)} weights of '
        f'{type(part).__name__} with the right shapes'
    )
    if names and share < 0.1:
        raise ValueError(
            f'{said}: it belongs to another network. Its names begin with '
            f'{listed(beginnings(state))}, those of the network with '
            f'{listed(beginnings(own))}. To use a part of a whole model, set '
            "prefix='backbone.' in the init_cfg."
        )
    if share < 0.5:
        print_log(f'{said}; the others stay random.', 'current', logging.WARNING)
    check_values(state, own, source)
