"""A diagnostic: how close a student is to neural collapse, at every validation."""

from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor

from mmkd.engine.hooks.validation_tap import ValidationTapHook
from mmkd.models.class_geometry import ClassMoments, spread
from mmkd.models.discovery import ModelView
from mmkd.models.taps import Tap, find_module
from mmkd.registry import HOOKS
from mmkd.structures import Targets


@HOOKS.register_module()
class NeuralCollapseHook(ValidationTapHook):
    """Log how the features relate geometrically to the main classifier.

    The features are the main classifier's input for validation images, in a distiller's
    student or a plain model; for segmentation, at some positions of each image, spread
    evenly over those with a class. Logged as ``val/collapse_<measure>``, see
    :class:`mmkd.models.class_geometry.Collapse`: all measures go to 0 as features and
    classifier approach a simplex equiangular tight frame. The hook does not change the
    model and draws no random numbers.

    Source: the analysis of Yang et al., Dual-Head Knowledge Distillation, section 3;
    the measures are those of Papyan et al., PNAS 2020.

    Args:
        positions: Maximum number of pixels used per image.

    Raises:
        ValueError: If ``positions`` is not a positive whole number, or the model has no
            linear main classifier with one row per class.
    """

    looked_for = 'Neural collapse'

    def __init__(self, positions: int = 256) -> None:
        super().__init__()
        if not isinstance(positions, int) or positions < 1:
            raise ValueError(
                f'positions must be a whole number of at least 1, got {positions!r}.'
            )
        self.positions = positions

    def tap(self, view: ModelView) -> Tap:
        """The classifier's input."""
        return view.feature

    def before_run(self, runner: Runner) -> None:
        """Find the classifier.

        Raises:
            ValueError: If there is none with one row per class.
        """
        super().before_run(runner)
        rows, classes = self._rows(), self._view.num_classes
        width = self._view.shape(self._view.feature)[1]
        if classes < 2 or rows.shape != (classes, width):
            raise ValueError(
                'NeuralCollapseHook needs a linear classifier with one row per class '
                f'over its input features. {self._view.classifier!r} has '
                f'weights of shape {tuple(rows.shape)}, {classes} classes and inputs '
                f'of width {width}: leave the hook out.'
            )

    def begin(self) -> None:
        """Start without features."""
        self._moments = ClassMoments(self._view.num_classes)

    def add(self, value: Tensor, targets: Targets) -> None:
        """Add some features of each sample."""
        vectors = value.movedim(1, -1).reshape(-1, value.shape[1])
        valid = targets.valid.reshape(len(value), -1)
        places = torch.cat(
            [
                number * valid.shape[1] + spread(each, self.positions)
                for number, each in enumerate(valid)
            ]
        ).to(value.device)
        labels = targets.labels.flatten().to(value.device)
        self._moments.add(vectors[places], labels[places])

    def measures(self) -> dict[str, float]:
        """The measures, if at least two classes were seen."""
        self._moments.gather()
        if int((self._moments.counts > 0).sum()) < 2:
            return {}
        found = self._moments.collapse(self._rows()).as_dict()
        return {f'collapse_{name}': value for name, value in found.items()}

    def _rows(self) -> Tensor:
        classifier: Any = find_module(self._view.model, self._view.classifier)
        return classifier.weight.flatten(1)
