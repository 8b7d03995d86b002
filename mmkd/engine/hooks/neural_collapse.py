"""A diagnostic: how near a student is to neural collapse, at every validation."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmkd.models.class_geometry import ClassMoments
from mmkd.models.discovery import view_of
from mmkd.models.taps import find_module, first_tensor, watch
from mmkd.registry import HOOKS
from mmkd.resilience.runner_model import model_of


@HOOKS.register_module()
class NeuralCollapseHook(Hook):
    """Log how features and main classifier lie to each other.

    The features are the main classifier's input for validation images, of a distiller's
    student or of a model that is trained alone; per pixel for some positions of each
    image, spread evenly over those with a class. Logged as ``val/collapse_<measure>``,
    see :class:`mmkd.models.class_geometry.Collapse`: all measures go to 0 as features
    and classifier go to a simplex equiangular tight frame. Nothing is changed in the
    model, and nothing drawn.

    Source: the analysis of Yang et al., Dual-Head Knowledge Distillation, section 3;
    the measures are those of Papyan et al., PNAS 2020.

    Args:
        positions: Pixels that are looked at of an image, at most.

    Raises:
        ValueError: If ``positions`` is not a positive whole number, or the model has no
            linear main classifier with one row a class.
    """

    def __init__(self, positions: int = 256) -> None:
        if not isinstance(positions, int) or positions < 1:
            raise ValueError(
                f'positions must be a whole number of at least 1, got {positions!r}.'
            )
        self.positions = positions
        self._seen: list[Tensor] = []
        self._end: Callable[[], None] = lambda: None
        self._told = False

    def before_run(self, runner: Runner) -> None:
        """Find the classifier.

        Raises:
            ValueError: If there is none that has a row for each class.
        """
        model = model_of(runner)
        self._view = view_of(model)
        rows, classes = self._rows(), self._view.num_classes
        width = self._view.shape(self._view.feature)[1]
        if classes < 2 or rows.shape != (classes, width):
            raise ValueError(
                'NeuralCollapseHook compares one row of a linear classifier for each '
                f'class with what that reads. {self._view.classifier!r} has '
                f'weights of shape {tuple(rows.shape)}, {classes} classes and inputs '
                f'of width {width}: leave the hook out.'
            )

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin to look at what the classifier reads."""
        self._moments = ClassMoments(self._view.num_classes)
        self._seen.clear()
        classifier = find_module(self._view.model, self._view.classifier)
        self._end = watch(classifier, 'input', partial(self._note, self._seen))

    @staticmethod
    def _note(seen: list[Tensor], value: Any) -> None:
        seen.append(first_tensor(value).detach())

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Add the features of a batch, whose labels its predictions carry."""
        features, task = list(self._seen), self._view.task
        self._seen.clear()
        whole = len(features) == 1 and len(features[0]) == len(outputs or ())
        if not whole or not task.one_class_each:
            self._tell(runner, len(features))
            return
        for feature, sample in zip(features[0], outputs, strict=True):
            targets = task.targets([sample]).resized(feature.shape[1:])
            labels = targets.labels[0].to(feature.device).flatten()
            chosen = self._spread(targets.valid[0].to(feature.device).flatten())
            vectors = feature.reshape(len(feature), -1).T
            self._moments.add(vectors[chosen], labels[chosen])

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Log the measures."""
        self._end()
        self._moments.gather()
        if int((self._moments.counts > 0).sum()) > 1:
            measures = self._moments.collapse(self._rows()).as_dict()
            for name, value in measures.items():
                runner.message_hub.update_scalar(f'val/collapse_{name}', value)

    def _rows(self) -> Tensor:
        classifier: Any = find_module(self._view.model, self._view.classifier)
        return classifier.weight.flatten(1)

    def _spread(self, valid: Tensor) -> Tensor:
        """Numbers of some positions with a class, evenly spread."""
        places = valid.nonzero().flatten()
        count = min(self.positions, len(places))
        steps = torch.linspace(0, max(len(places) - 1, 0), count, device=places.device)
        return places[steps.round().long()]

    def _tell(self, runner: Runner, runs: int) -> None:
        if self._told:
            return
        self._told = True
        why = (
            f'the classifier runs {runs} times for a batch, as in sliding windows'
            if self._view.task.one_class_each
            else 'images have several labels'
        )
        runner.logger.warning(f'Neural collapse is not measured: {why}.')
