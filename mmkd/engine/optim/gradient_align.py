"""Gradient alignment of Dual-Head Knowledge Distillation, for any optimiser."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn
from torch._functorch import config as compiler_config
from torch.distributed.fsdp import FullyShardedDataParallel

from mmkd.engine.optim.gradients import Gradients, backward_into, compare
from mmkd.freed_memory import keep_freed_memory
from mmkd.loss_groups import LossGroups, groups_of, sum_of_groups
from mmkd.mean_gradients import average_over_processes
from mmkd.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class GradientAlignOptimWrapper(OptimWrapper):
    """Step along the task gradient plus the part of the other not opposed to it.

    With ``g1`` the gradient of the task loss and ``g2`` that of the
    distillation loss, each over all trainable parameters of the optimiser as
    one vector, the optimiser steps with

    ``(1 - c) g1 + g2``, ``c = min(0, <g1, g2>) / |g1|^2``,

    which is ``g1`` plus ``g2`` projected onto the plane orthogonal to ``g1``
    where the two conflict, and their sum where they do not, where ``g1`` is
    zero and where no distillation loss is active. A parameter that only one
    loss reaches belongs to the vector.

    The two losses are those that the distiller combines with
    :func:`mmkd.loss_groups.sum_of_groups`; any other loss is an error.
    Gradients are clipped after alignment. With ``accumulative_counts`` both
    gradients are accumulated separately and aligned at the update. With several
    processes, this class averages both at the update, instead of the
    data-parallel wrapper, so that all processes decide by the whole batch;
    whether a distillation loss is active must not differ between them.

    Source: Yang et al., Dual-Head Knowledge Distillation, Section "Gradient
    alignment"; their published code (github.com/penghui-yang/DHKD) aligns on
    one GPU.

    Args:
        args: Arguments of :class:`mmengine.optim.OptimWrapper`.
        keep_memory: Whether to call :func:`mmkd.freed_memory.keep_freed_memory`,
            which saves time on CPUs.
        kwargs: Arguments of :class:`mmengine.optim.OptimWrapper`.

    Attributes:
        task_gradients: ``g1``, accumulated since the last update; ``.grad`` holds
            ``g2``.
        cosine: Cosine of the angle between ``g1`` and ``g2`` at the last
            update, negative where they conflicted: a scalar on the
            parameters' device, or None if no distillation loss was active.

    Examples:
        >>> optim_wrapper = dict(
        ...     type='mmkd.GradientAlignOptimWrapper',
        ...     optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
    """

    def __init__(self, *args: Any, keep_memory: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Otherwise a compiled model frees what the second backward pass reads.
        compiler_config.donated_buffer = False
        if keep_memory:
            # With a retained graph, memory in use varies more within each step.
            keep_freed_memory()
        self.cosine: Tensor | None = None
        self.task_gradients: Gradients = {}

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Divide both losses by the number of micro-steps of an update."""
        task, distillation = groups_of(loss)
        if distillation is not None:
            distillation = super().scale_loss(distillation)
        return sum_of_groups(LossGroups(super().scale_loss(task), distillation))

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Accumulate the gradients of both losses separately.

        Args:
            loss: What :meth:`scale_loss` returned.
            kwargs: Arguments of :meth:`torch.Tensor.backward`.
        """
        task, distillation = groups_of(loss)
        store, task = self.task_gradients, self._amplified(task)
        if distillation is None:
            backward_into(store, task, self._parameters, **kwargs)
        else:
            # Both losses share the student's graph.
            keep = {**kwargs, 'retain_graph': True}
            backward_into(store, task, self._parameters, **keep)
            self._amplified(distillation).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Align the gradients, clip the result and step.

        Args:
            kwargs: Arguments of :meth:`torch.optim.Optimizer.step`.
        """
        self._align()
        super().step(**kwargs)

    def zero_grad(self, **kwargs: Any) -> None:
        """Clear both gradients.

        Args:
            kwargs: Arguments of :meth:`torch.optim.Optimizer.zero_grad`.
        """
        self.task_gradients.clear()
        super().zero_grad(**kwargs)

    def should_sync(self) -> bool:
        """Never: the two gradients are averaged separately at the update."""
        return False

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass without the wrapper's gradient exchange.

        Args:
            model: The model, in a data-parallel wrapper or not.

        Raises:
            TypeError: If parameters are sharded over processes.
            ValueError: If the wrapper was built with ``static_graph=True``.
        """
        if isinstance(model, FullyShardedDataParallel):
            raise TypeError(
                f'{type(self).__name__} needs every parameter whole in each '
                f'process, got {type(model).__name__}. Use OptimWrapper or '
                'AmpOptimWrapper with it, or MMDistributedDataParallel with '
                'gradient alignment.'
            )
        if getattr(model, 'static_graph', False):
            raise ValueError(
                f'{type(self).__name__} runs two backward passes, got a '
                f'{type(model).__name__} with static_graph=True. Leave '
                'static_graph out of model_wrapper_cfg.'
            )
        with super().optim_context(model):
            yield

    @property
    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group['params']]

    def _amplified(self, loss: Tensor) -> Tensor:
        """The loss, scaled if there is a gradient scaler."""
        return loss

    @torch.no_grad()
    def _align(self) -> None:
        """Put the aligned gradient into ``.grad``, without blocking on the GPU."""
        parameters = [p for p in self._parameters if p.requires_grad]
        task = [self.task_gradients.get(p) for p in parameters]
        distillation = [p.grad for p in parameters]
        active = any(gradient is not None for gradient in distillation)
        if get_world_size() > 1:
            sets = (task, distillation) if active else (task,)
            average_over_processes(parameters, *sets)
        self.cosine = kept = None
        if active:
            relation = compare(task, distillation)
            self.cosine, kept = relation.cosine, 1 - relation.opposition
        triples = zip(parameters, task, distillation, strict=True)
        for parameter, first, second in triples:
            if first is not None and kept is not None:
                if second is None:
                    first.mul_(kept)
                else:
                    second.addcmul_(first, kept)
            parameter.grad = first if second is None else second
        self.task_gradients.clear()


@OPTIM_WRAPPERS.register_module()
class AmpGradientAlignOptimWrapper(GradientAlignOptimWrapper, AmpOptimWrapper):
    """:class:`GradientAlignOptimWrapper` for automatic mixed precision.

    Both losses are scaled by the same factor, which does not change the
    alignment; the aligned gradient is unscaled before it is clipped. A
    non-finite value in either gradient reaches the aligned one, so that the
    scaler skips the step in all processes.

    Args:
        args: Arguments of :class:`mmengine.optim.AmpOptimWrapper`;
            ``loss_scale=dict(enabled=False)`` is bfloat16 without a scaler.
        kwargs: Arguments of :class:`mmengine.optim.AmpOptimWrapper`.
    """

    def _amplified(self, loss: Tensor) -> Tensor:
        return self.loss_scaler.scale(loss)
