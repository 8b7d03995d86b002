"""A diagnostic: where in the student the two losses oppose each other."""

import copy
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.func import functional_call

from mmkd.engine.optim.gradients import Gradients, backward_into, compare
from mmkd.engine.runner_distiller import distiller_of
from mmkd.loss_groups import groups_of
from mmkd.models.distiller import Distiller
from mmkd.models.taught import student_alone
from mmkd.random_state import random_state_kept
from mmkd.registry import HOOKS


@HOOKS.register_module()
class GradientConflictHook(Hook):
    """Log how the task gradient and the distillation gradient relate.

    Logs their cosine over the student's main classifier
    (``grad_cos_classifier``) and over its other parameters
    (``grad_cos_rest``): -1 where they oppose each other, 0 where they are
    orthogonal. A part that one of the losses does not reach, as the
    distillation loss of DHKD does not reach the main classifier, has none.
    With gradient alignment the cosine over all parameters at its last update
    is logged too (``grad_cos``).

    Once every ``interval`` iterations the batch about to be trained on is run
    once more, forward and twice backward, with the same random numbers.
    Parameters, gradients, BatchNorm statistics, memories and random states are
    left as they were: the run's result does not depend on this hook. In
    several processes each looks at its own share of the batch.

    Source: the analysis of Yang et al., Dual-Head Knowledge Distillation,
    Propositions 1 to 4: under neural collapse the two gradients conflict in
    the linear classifier and not in the backbone.

    Args:
        interval: Iterations between two looks.

    Raises:
        ValueError: If the interval is not a positive whole number.
    """

    def __init__(self, interval: int = 100) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise ValueError(
                f'interval must be a whole number of at least 1, got {interval!r}.'
            )
        self.interval = interval

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Compare the gradients of the batch that is about to be trained on."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        distiller = distiller_of(runner)
        gradients = _both_gradients(runner, distiller, data_batch)
        if gradients is None:
            return
        for part, parameters in _parts(distiller).items():
            task, distillation = (
                [store.get(p) for p in parameters] for store in gradients
            )
            if _any(task) and _any(distillation):
                cosine = compare(task, distillation).cosine
                runner.message_hub.update_scalar(f'train/grad_cos_{part}', cosine)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        """Log the cosine that gradient alignment saw, where it is in use."""
        cosine = getattr(runner.optim_wrapper, 'cosine', None)
        if cosine is not None and self.every_n_train_iters(runner, self.interval):
            runner.message_hub.update_scalar('train/grad_cos', cosine)


def _parts(distiller: Distiller) -> dict[str, list[nn.Parameter]]:
    path: str = distiller.student_view.classifier
    classifier = list(distiller.get_submodule(path).parameters())
    own = {id(parameter) for parameter in classifier}
    with student_alone(distiller):
        rest = [p for p in distiller.parameters() if id(p) not in own]
    return {'classifier': classifier, 'rest': rest}


def _any(gradient: list[Tensor | None]) -> bool:
    return any(tensor is not None for tensor in gradient)


def _both_gradients(
    runner: Runner,
    distiller: Distiller,
    data_batch: Any,
) -> tuple[Gradients, Gradients] | None:
    """Both gradients of one batch, or None where no method is active."""
    parameters = list(distiller.parameters())
    buffers = {name: buffer.clone() for name, buffer in distiller.named_buffers()}
    with (
        random_state_kept(parameters[0].device),
        # A region compiled for one backward pass refuses a second.
        torch.compiler.set_stance('force_eager'),
        runner.optim_wrapper.optim_context(distiller),
    ):
        # Preprocessors pad the labels in place.
        data = distiller.data_preprocessor(copy.deepcopy(data_batch), training=True)
        losses = functional_call(distiller, buffers, (), {**data, 'mode': 'loss'})
        task, distillation = groups_of(distiller.parse_losses(losses)[0])
    if distillation is None:
        return None
    scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
    if scaler is not None:
        task, distillation = scaler.scale(task), scaler.scale(distillation)
    stores: tuple[Gradients, Gradients] = ({}, {})
    backward_into(stores[0], task, parameters, retain_graph=True)
    backward_into(stores[1], distillation, parameters)
    return stores
