"""A diagnostic: where in the student the two losses oppose each other."""

import copy
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.func import functional_call

from mmkd.engine.optim.gradients import Gradients, backward_into, compare
from mmkd.engine.runner_distiller import distiller_of
from mmkd.loss_groups import groups_of
from mmkd.models.distiller import PREFIX, Distiller
from mmkd.models.stages import stage_modules
from mmkd.models.taught import student_alone
from mmkd.random_state import random_state_kept
from mmkd.registry import HOOKS

TASK = 'task'
"""Key of the task's loss among those of methods, which begin with a dot."""


@HOOKS.register_module()
class GradientConflictHook(Hook):
    """Log how the task gradient and the distillation gradient relate.

    Logs their cosine over the student's main classifier
    (``grad_cos_classifier``) and over its other parameters
    (``grad_cos_rest``): -1 where they oppose each other, 0 where they are
    orthogonal. A part that one of the losses does not reach has no cosine: the
    distillation loss of DHKD, for example, does not reach the main classifier.
    With gradient alignment the cosine over all parameters at its last update
    is logged too (``grad_cos``). For each cosine, the norm of the distillation
    gradient divided by the task's is logged (``grad_ratio_*``), weights included.

    Every ``interval`` iterations the batch about to be trained on is run
    once more, forward and twice backward, with the same random numbers.
    Parameters, gradients, BatchNorm statistics, memories and random states are
    left unchanged: the run's result does not depend on this hook. With
    several processes, each uses its own share of the batch. A student without a
    recognisable main classifier has no ``grad_cos_classifier``.

    Source: the analysis of Yang et al., Dual-Head Knowledge Distillation,
    Propositions 1 to 4: under neural collapse the two gradients conflict in
    the linear classifier and not in the backbone.

    Args:
        interval: Iterations between two comparisons.
        by_stage: Whether to compare each stage of the backbone too, as
            ``grad_cos_stage1`` and so on, with the modules that run before its end.
        by_method: Whether to compare each method's own gradient with the task's too,
            as ``grad_cos_rest.kd``: one more backward pass per method.

    Raises:
        ValueError: If the interval is not a positive whole number, or ``by_stage`` is
            set and the student's backbone has no stages.
    """

    def __init__(
        self, interval: int = 100, by_stage: bool = False, by_method: bool = False
    ) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise ValueError(
                f'interval must be a whole number of at least 1, got {interval!r}.'
            )
        self.interval = interval
        self.by_stage, self.by_method = by_stage, by_method

    def before_train(self, runner: Runner) -> None:
        """Find the parameters of each part."""
        self._parts = _parts(runner, distiller_of(runner), self.by_stage)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Compare the gradients of the batch that is about to be trained on."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        distiller = distiller_of(runner)
        task, others = _gradients(runner, distiller, data_batch, self.by_method)
        for part, parameters in self._parts.items():
            for suffix, store in others.items():
                pair = [[each.get(p) for p in parameters] for each in (task, store)]
                if not all(map(_any, pair)):
                    continue
                found = compare(*pair)
                ratio = (found.second_squared / found.first_squared).sqrt()
                for name, value in (('cos', found.cosine), ('ratio', ratio)):
                    key = f'train/grad_{name}_{part}{suffix}'
                    runner.message_hub.update_scalar(key, value)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        """Log the cosine of gradient alignment, if it is in use."""
        cosine = getattr(runner.optim_wrapper, 'cosine', None)
        if cosine is not None and self.every_n_train_iters(runner, self.interval):
            runner.message_hub.update_scalar('train/grad_cos', cosine)


def _parts(
    runner: Runner, distiller: Distiller, by_stage: bool
) -> dict[str, list[nn.Parameter]]:
    view, parts = distiller.student_view, {}
    try:
        path: str = view.classifier
    except ValueError as error:
        runner.logger.warning(f'grad_cos_classifier is not measured: {error}')
    else:
        parts['classifier'] = list(distiller.get_submodule(path).parameters())
    own = {id(each) for parameters in parts.values() for each in parameters}
    with student_alone(distiller):
        named = dict(distiller.named_parameters())
    parts['rest'] = [p for p in named.values() if id(p) not in own]
    if by_stage:
        for number, modules in enumerate(stage_modules(view.stages, view.trace), 1):
            parts[f'stage{number}'] = [
                p for name, p in named.items() if name.rpartition('.')[0] in modules
            ]
    return parts


def _any(gradient: list[Tensor | None]) -> bool:
    return any(tensor is not None for tensor in gradient)


def _gradients(
    runner: Runner, distiller: Distiller, data_batch: Any, by_method: bool
) -> tuple[Gradients, dict[str, Gradients]]:
    """The task's gradient for one batch, and the others by the suffix of their keys.

    Both are empty if no method is active.
    """
    parameters = list(distiller.parameters())
    buffers = {name: buffer.clone() for name, buffer in distiller.named_buffers()}
    with (
        random_state_kept(parameters[0].device),
        # A region compiled for one backward pass does not allow a second.
        torch.compiler.set_stance('force_eager'),
        runner.optim_wrapper.optim_context(distiller),
    ):
        # Preprocessors pad the labels in place.
        data = distiller.data_preprocessor(copy.deepcopy(data_batch), training=True)
        losses = functional_call(distiller, buffers, (), {**data, 'mode': 'loss'})
        task, distillation = groups_of(distiller.parse_losses(losses)[0])
    if distillation is None:
        return {}, {}
    others = {'': distillation}
    if by_method:
        others |= _losses_by_method(distiller, losses)
    scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
    stores: dict[str, Gradients] = {}
    for name, loss in {TASK: task, **others}.items():
        stores[name] = {}
        scaled = loss if scaler is None else scaler.scale(loss)
        backward_into(stores[name], scaled, parameters, retain_graph=True)
    return stores.pop(TASK), stores


def _losses_by_method(
    distiller: Distiller, losses: dict[str, Any]
) -> dict[str, Tensor]:
    found = {}
    for name, method in distiller.named_methods.items():
        if method.is_active:
            own = {k: v for k, v in losses.items() if k.startswith(f'{PREFIX}{name}.')}
            found[f'.{name}'] = BaseModel.parse_losses(distiller, own)[0]
    return found
