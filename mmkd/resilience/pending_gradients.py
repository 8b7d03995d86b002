"""Gradients that wait for an update, which a checkpoint in between has to hold."""

from collections.abc import Mapping, Sequence

from mmengine.dist import is_distributed
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor

from mmkd.mean_gradients import average_over_processes
from mmkd.resilience.runner_model import model_of


def pending_gradients(runner: Runner) -> dict[str, list[Tensor | None]]:
    """What has been accumulated since the last update, by parameter.

    Returns:
        For each name ``.grad`` and, if gradients are aligned, that of the task,
        which is kept separately. Empty if nothing is pending.
    """
    wrapper = runner.optim_wrapper
    if not isinstance(wrapper, OptimWrapper) or isinstance(wrapper, OptimWrapperDict):
        return {}
    if wrapper.should_update():
        return {}
    task = getattr(wrapper, 'task_gradients', {})
    named = model_of(runner).named_parameters()
    return {name: [p.grad, task.get(p)] for name, p in named if p.requires_grad}


def set_gradients(
    runner: Runner, gradients: Mapping[str, Sequence[Tensor | None]]
) -> None:
    """Continue from what :func:`pending_gradients` has returned."""
    task = getattr(runner.optim_wrapper, 'task_gradients', {})
    parameters = dict(model_of(runner).named_parameters())
    for name, (gradient, of_task) in gradients.items():
        parameters[name].grad = gradient
        task[parameters[name]] = of_task


def share_gradients(runner: Runner) -> None:
    """Give all processes the mean of their pending gradients.

    The update takes the mean anyway; this way the checkpoint of one process serves
    all of them. All processes must call it.
    """
    pending = pending_gradients(runner)
    if not pending or not is_distributed():
        return
    named = dict(model_of(runner).named_parameters())
    parameters = [named[name] for name in pending]
    kinds = [list(kind) for kind in zip(*pending.values(), strict=True)]
    for gradients in kinds:
        average_over_processes(parameters, gradients)
    set_gradients(runner, dict(zip(pending, zip(*kinds, strict=True), strict=True)))
