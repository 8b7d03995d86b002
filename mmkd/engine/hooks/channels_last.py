"""Training with weights in the memory layout that makes convolutions fastest."""

from contextlib import suppress
from functools import partial
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

from mmkd.engine.data_parallel import learn_layout
from mmkd.models.discovery import OUTPUT, view_of
from mmkd.models.distiller import Distiller
from mmkd.models.layout import lay_channels_last
from mmkd.models.probing import look, rehearse
from mmkd.models.taps import first_tensor
from mmkd.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights of the trained model in channels-last layout.

    A fixed rule decides, because a timing at the start could come out differently when
    a training is resumed: always on CPUs, elsewhere with automatic mixed precision, for
    which PyTorch recommends it. A model that does not run in this layout, or whose
    losses do not, is unchanged.

    Shapes, checkpoints and values up to rounding stay the same, but for random masks on
    feature maps, such as dropout's: PyTorch draws them in memory order.
    ``docs/performance.md`` has measurements; the teacher's layout is
    ``channels_last`` of :class:`mmkd.models.teachers.FrozenTeacher`.
    """

    # Not before_run, when weights are not initialised yet: PyTorch fills a tensor in
    # memory order, so that the initial weights would differ from those without mmkd.
    def before_train(self, runner: Runner) -> None:
        """Convert the weights, which are initialised or loaded by then.

        Args:
            runner: Its model may be in a data-parallel wrapper.
        """
        if self._convert(runner, trains=True):
            learn_layout(runner.model)

    def before_test(self, runner: Runner) -> None:
        """Convert the weights as for training."""
        self._convert(runner, trains=False)

    def _convert(self, runner: Runner, trains: bool) -> bool:
        """Convert the weights, if that pays; whether it did."""
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        if isinstance(model, BaseTTAModel):
            model = model.module
        if not gains(model, isinstance(runner.optim_wrapper, AmpOptimWrapper)):
            return False
        laid = _laid(model, trains)
        if not laid:
            runner.logger.info(
                f'{type(model).__name__} does not run with channels-last weights: they '
                'keep their layout.'
            )
        return laid


def _laid(model: nn.Module, trains: bool) -> bool:
    view = view_of(model)
    size = view.trace.image_size
    if not trains:
        return lay_channels_last(model, partial(look, model, size, [OUTPUT]))
    # The losses, for heads that only train.
    own: Any = super(Distiller, model) if isinstance(model, Distiller) else model
    run = partial(rehearse, model, own.forward, size)
    losses = partial(run, view.task.blank(size))
    with BackwardOfGroupNorm():
        if lay_channels_last(model, losses):
            return True
        with suppress(RuntimeError):
            losses()
            return False
        # Its losses are not to be had of blank annotations, in any layout.
        return lay_channels_last(model, run)


def _are_channels_last(maps: Tensor) -> bool:
    """Whether PyTorch's kernels take maps for channels-last, judging by the strides.

    Source: PyTorch, ``c10/core/MemoryFormat.h``, ``is_channels_last_strides_2d_s4``.
    """
    if maps.dim() != 4 or maps.stride(1) == 0:
        return False
    least = 0
    for dim in (1, 3, 2, 0):
        stride, size = maps.stride(dim), maps.size(dim)
        if size == 0 or stride < least or (dim == 0 and least == maps.stride(1)):
            return False
        least = stride * size if size > 1 else stride
    return True


class BackwardOfGroupNorm(TorchFunctionMode):
    """Refuses what ends the process in PyTorch's backward pass on CPUs.

    That is the group normalisation of a channels-last map that needs no gradient, as
    behind frozen layers, with weights that need one.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (F.group_norm, torch.group_norm) and result.requires_grad:
            given = first_tensor((args, kwargs))
            needs = given.requires_grad or given.device.type != 'cpu'
            if not needs and _are_channels_last(given):
                raise RuntimeError(
                    'PyTorch has no backward pass for the group normalisation of a '
                    'channels-last map that needs no gradient.'
                )
        return result


def gains(model: nn.Module, half: bool) -> bool:
    """Whether the layout pays off.

    Args:
        model: The model, on the device that it is trained on.
        half: Whether it is trained with automatic mixed precision.
    """
    return half or next(model.parameters()).device.type == 'cpu'
