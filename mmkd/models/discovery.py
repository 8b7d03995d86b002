"""What mmkd must know about a model, discovered instead of configured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from mmkd.arguments import check_arguments
from mmkd.models.probing import Trace, image_channels, look, trace
from mmkd.models.stages import find_stages, has_stem
from mmkd.models.taps import Tap, find_module
from mmkd.models.tasks import Task, task_of
from mmkd.models.tokens import layout_of

OUTPUT = Tap('')
"""What the model itself returns in tensor mode: its logits."""

Stage: TypeAlias = int | str | Mapping[str, Any]
"""How a method names a stage, see :meth:`ModelView.stage`."""


class ModelView:
    """A built model, its task, and the layers and widths that methods need.

    One forward pass on a tiny blank image, in evaluation mode and without
    gradient, finds everything when it is first needed.

    Args:
        model: A classifier of MMPretrain or a segmentor of MMSegmentation.
        classifier: Module path of the main classifier, to override discovery.
        role: The model's role in the distillation, for errors.

    Attributes:
        class_names: The class names in the model's checkpoint, if known.
        refused: Why its class predictions must not be compared; empty if they may.
        born: The id of the first hook that is not the model's own.
    """

    def __init__(
        self, model: nn.Module, classifier: str | None = None, role: str = 'model'
    ) -> None:
        self.model = model
        self.role = role
        self.task: Task = task_of(model)
        self._classifier = classifier
        self.class_names: Sequence[str] | None = None
        self.refused = ''
        self.born = RemovableHandle.next_id

    @property
    def name(self) -> str:
        """The model's name in errors."""
        return f'the {self.role} {type(self.model).__name__}'

    @cached_property
    def trace(self) -> Trace:
        """Inputs and outputs of the model's modules for a blank image.

        Raises:
            ValueError: If the model runs on none of the image sizes tried.
        """
        try:
            return trace(self.model, self.born)
        except ValueError as error:
            raise ValueError(f'The {self.role}: {error}') from error

    @property
    def class_count(self) -> int:
        """How many classes it separates: one channel of logits separates two."""
        return max(self.num_classes, 2)

    @cached_property
    def num_classes(self) -> int:
        """Channels of the logits.

        Raises:
            ValueError: If the model does not return logits.
        """
        shape = self.shape(OUTPUT)
        if self.trace.returned == 'dict' or len(shape) != 2 + self.task.spatial_dims:
            raise ValueError(
                f'{self.name} returns a {self.trace.returned} with {tuple(shape)} for '
                'one image, but one logit per class, or a map of them, is '
                'needed: mmkd cannot distil it.'
            )
        return shape[1]

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return image_channels(self.model)

    @cached_property
    def classifier(self) -> str:
        """Path of the layer whose output is the model's logits.

        Raises:
            ValueError: If no single layer outputs them, or the configured one does
                not.
        """
        if self._classifier is not None:
            return self._named(self._classifier)
        modules = dict(self.model.named_modules())
        for path in self.trace.givers:
            if isinstance(modules[path], LAYERS):
                return path
        candidates = [
            path
            for path, module in modules.items()
            if isinstance(module, LAYERS) and len(module.weight) == self.num_classes
        ]
        raise ValueError(
            f'{self.name} has no recognisable main classifier: no linear or '
            'convolutional layer returns its logits. Layers whose width is the '
            f'number of classes: {candidates or "none"}. If one of them returns '
            'exactly the logits, set classifier=PATH in the config. Otherwise use '
            'methods that compare only logits, or set a stage for those that read '
            "the classifier's input."
        )

    def _named(self, path: str) -> str:
        taps = [OUTPUT, Tap(path)]
        self.shape(taps[1])
        logits, output = look(self.model, self.trace.image_size, taps, self.born)
        if logits.shape != output.shape or not torch.allclose(logits, output):
            raise ValueError(
                f'classifier={path!r} does not output the logits of {self.name}: '
                'its output is something else, such as cosines before they are '
                'scaled, or a part of a sum. Remove it, or set it to the layer whose '
                'output the model returns.'
            )
        return path

    @property
    def feature(self) -> Tap:
        """The main classifier's input."""
        return Tap(self.classifier, 'input')

    @cached_property
    def logits(self) -> Tap:
        """Where to capture the logits that the model returns.

        The main classifier's output or, if no single layer outputs them, the output
        of the innermost module that returns them.

        Raises:
            ValueError: If no module returns them.
        """
        givers = self.trace.givers
        try:
            return Tap(self.classifier)
        except ValueError:
            if self._classifier is not None or not givers:
                raise
        path = next(iter(givers))
        return Tap(path, givers[path])

    @cached_property
    def stages(self) -> list[Tap]:
        """The ends of the backbone's stages, see :func:`find_stages`.

        Raises:
            ValueError: If the backbone cannot be split into stages.
        """
        try:
            return find_stages(self.model, self.trace)
        except ValueError as error:
            raise ValueError(f'{self.name} has no stages: {error}') from error

    @property
    def has_stem(self) -> bool:
        """Whether the first stage reads features of a stem instead of the image."""
        return has_stem(self.model, self.trace)

    def stage(self, stage: Stage) -> Tap:
        """The end of one stage, or of a module given instead.

        Tokens and channels-last maps are converted to ``(N, C, H, W)``.

        Args:
            stage: An index, counted from 0, a module path, or the settings of a
                :class:`Tap`, such as ``dict(path='backbone.layer1.4.relu',
                kind='input', call=1)``.

        Raises:
            ValueError: If there is no such stage, or a setting is wrong.
        """
        if isinstance(stage, str):
            stage = {'path': stage}
        if isinstance(stage, Mapping):
            check_arguments(f'a stage of the {self.role}', Tap, stage)
            tap = Tap(**stage)
            layout = layout_of(self.shape(tap), self.trace.image_size)
            return tap if layout is None else replace(tap, layout=layout)
        if not 0 <= stage < len(self.stages):
            found = ', '.join(str(tap) for tap in self.stages) or 'none'
            setting = 'teacher_stage' if self.role == 'teacher' else 'stage'
            raise ValueError(
                f'{self.name} has no stage {stage}. Stages found: {found}. Set '
                f"the method's {setting} or {setting}s to indices of these, from 0, "
                'or to module paths.'
            )
        return self.stages[stage]

    def shape(self, tap: Tap) -> torch.Size:
        """Shape of a tap's value for the blank image, with batch size 1.

        Raises:
            ValueError: If the tap names a module that does not exist or that
                the model does not run.
        """
        find_module(self.model, tap.path, self.name)
        try:
            return self.trace.shape(tap)
        except KeyError:
            raise ValueError(
                f'{str(tap)!r} of {self.name} has no {tap.kind} in a forward pass '
                'without labels: the module does not run, or has no such tensor.'
            ) from None


def view_of(model: Any) -> ModelView:
    """The view of a distiller's student, or a new one of a plain model."""
    return getattr(model, 'student_view', None) or ModelView(model)


LAYERS: Any = (nn.Linear, nn.modules.conv._ConvNd)
"""The layer types of a main classifier."""
