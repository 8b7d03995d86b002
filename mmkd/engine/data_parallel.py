"""Data parallelism over GPUs or over CPU processes."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mmkd.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class AnyDeviceDataParallel(MMDistributedDataParallel):
    """MMEngine's data parallelism, for a model on any device.

    The runner passes a CUDA device for every process, which fails for a model
    on a CPU; here it is used on GPUs only. SyncBN does not support CPUs: there
    it becomes BatchNorm over each process's own share of the batch, with a
    warning.

    Every parameter of a distiller takes part in every loss; those of a method
    that a schedule has switched off get a gradient of zero. So no search for
    unused parameters is needed. A student that leaves out parameters itself
    needs ``find_unused_parameters=True``, as it does without mmkd.

    With gradient alignment, the optimiser wrapper reduces each of the two
    gradients once per update, and this wrapper reduces nothing.

    Args:
        module: The model.
        device_ids: The device of this process; ignored on CPUs.
        broadcast_buffers: Whether to send the first process's buffers to the
            others at every forward pass.
        **kwargs: Arguments of :class:`mmengine.model.MMDistributedDataParallel`.
    """

    def __init__(
        self,
        module: nn.Module,
        device_ids: Sequence[int | torch.device] | None = None,
        broadcast_buffers: bool = False,
        **kwargs: Any,
    ) -> None:
        if next(module.parameters()).device.type == 'cpu':
            device_ids = None
            if any(isinstance(part, nn.SyncBatchNorm) for part in module.modules()):
                print_log(
                    'SyncBN works on GPUs only: here it becomes BatchNorm over '
                    "each process's share of the batch.",
                    logger='current',
                    level=logging.WARNING,
                )
                module = revert_sync_batchnorm(module)
        super().__init__(
            module,
            device_ids=device_ids,
            broadcast_buffers=broadcast_buffers,
            **kwargs,
        )


def learn_layout(model: nn.Module) -> None:
    """Tell data parallelism that the layout of its model's weights has changed.

    It writes gradients into its buffers in the layout that the weights had when it
    was built, and reads them in the current one. Without this they would be permuted,
    in the first step or, with ``find_unused_parameters``, in all steps.

    Args:
        model: The model as it is trained, in wrappers or not.

    Raises:
        ValueError: If it does not use the default process group.
    """
    for part in model.modules():
        if not isinstance(part, DistributedDataParallel):
            continue
        # MMSeparateDistributedDataParallel, which only wraps its children, has none.
        if not hasattr(part, 'reducer'):
            continue
        if part.process_group != distributed.group.WORLD:
            raise ValueError(
                f'{type(part).__name__} has a process group of its own, with which it '
                'cannot learn that weights are channels-last now: set '
                'default_hooks.layout=None.'
            )
        # The same as unpickling it, which would drop the hooks.
        hooks, part._comm_hooks = part._comm_hooks, []
        part.__setstate__(part.__getstate__())
        for hook, state in hooks:
            part.register_comm_hook(state, hook)
