"""Data parallelism over GPUs or over processes of CPUs."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmkd.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class AnyDeviceDataParallel(MMDistributedDataParallel):
    """MMEngine's data parallelism, on whatever device the model is.

    The runner names a CUDA device for every process, which a model on a CPU
    refuses; here it is used on GPUs alone. SyncBN has no form for CPUs: there
    it becomes BatchNorm over each process's own share of the batch, with a
    warning.

    Every parameter of a distiller takes part in every loss, those of a method
    that a schedule has switched off with a gradient of zero, so that no search
    for unused parameters is needed. A student that leaves parameters out by
    itself needs ``find_unused_parameters=True``, as it does alone.

    Under gradient alignment the optimiser wrapper reduces the two gradients by
    itself, once each an update, and this wrapper reduces nothing.

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
                    'SyncBN works on GPUs alone: here it becomes BatchNorm over '
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


def learn_layout(model: DistributedDataParallel) -> None:
    """Let data parallelism know that its model's weights changed their layout.

    It writes gradients into its buffers in the layout that weights had when it was
    built, and reads them in the one they have then: without this they would be
    permuted, in the first step or, with ``find_unused_parameters``, in all.

    Args:
        model: The wrapper, of the default process group.
    """
    # What it does when it is unpickled, except that it then has no hooks.
    hooks, model._comm_hooks = model._comm_hooks, []
    model.__setstate__(model.__getstate__())
    for hook, state in hooks:
        model.register_comm_hook(state, hook)
