"""What mmkd must know of a model, found in the model instead of typed."""

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
    """A built model, its task, and the places and widths that methods ask for.

    Everything is found by one forward of a tiny blank image, in evaluation
    mode and without gradient, when it is first asked for.

    Args:
        model: A classifier of MMPretrain or a segmentor of MMSegmentation.
        classifier: Module path of the main classifier, where discovery shall
            be overridden.
        role: What the model is in a distillation, for errors.

    Attributes:
        class_names: What the model's checkpoint calls its classes, if that is known.
        refused: Why its class predictions must not be compared; empty if they may.
        born: The number of the first hook that is not the model's own.
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
        """What an error calls the model."""
        return f'the {self.role} {type(self.model).__name__}'

    @cached_property
    def trace(self) -> Trace:
        """What the model's modules take and give for a blank image.

        Raises:
            ValueError: If the model runs on none of the image sizes tried.
        """
        try:
            return trace(self.model, self.born)
        except ValueError as error:
            raise ValueError(f'The {self.role}: {error}') from error

    @cached_property
    def num_classes(self) -> int:
        """Channels of the logits.

        Raises:
            ValueError: If what the model returns is no logits.
        """
        shape = self.shape(OUTPUT)
        if self.trace.returned == 'dict' or len(shape) != 2 + self.task.spatial_dims:
            raise ValueError(
                f'{self.name} returns a {self.trace.returned} with {tuple(shape)} for '
                'one image, and one logit for each class, or a map of them, is '
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
            ValueError: If no single layer puts them out, or the one that is named
                does not.
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
            f'number of classes: {candidates or "none"}. Name it in the config, as '
            'classifier=PATH, if one of them returns the very logits. Otherwise use '
            'methods that compare logits alone, or give a stage to those that read '
            "the classifier's input."
        )

    def _named(self, path: str) -> str:
        taps = [OUTPUT, Tap(path)]
        self.shape(taps[1])
        logits, output = look(self.model, self.trace.image_size, taps, self.born)
        if logits.shape != output.shape or not torch.allclose(logits, output):
            raise ValueError(
                f'classifier={path!r} does not put out the logits of {self.name}: '
                'its output is something else, such as cosines before they are '
                'scaled, or a part of a sum. Leave it out, or name the layer whose '
                'output is what the model returns.'
            )
        return path

    @property
    def feature(self) -> Tap:
        """The main classifier's input."""
        return Tap(self.classifier, 'input')

    @cached_property
    def logits(self) -> Tap:
        """Where the logits are that the model returns.

        The main classifier's output or, where no single layer puts them out, what
        the innermost part of the model that gives them returns.

        Raises:
            ValueError: If no part of the model gives them.
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
        """Whether the first stage reads features of a stem, and not the image."""
        return has_stem(self.model, self.trace)

    def stage(self, stage: Stage) -> Tap:
        """The end of one stage, or another place that is named in its stead.

        Tokens and maps whose channels come last are brought to ``(N, C, H, W)``.

        Args:
            stage: A number from 0, a module path, or the settings of a :class:`Tap`,
                as ``dict(path='backbone.layer1.4.relu', kind='input', call=1)``.

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
                f"the method's {setting} or {setting}s to numbers of these, from 0, "
                'or to module paths.'
            )
        return self.stages[stage]

    def shape(self, tap: Tap) -> torch.Size:
        """Shape of a tap's value for the blank image, batch dimension 1.

        Raises:
            ValueError: If the tap names a module that does not exist or that
                the model does not run.
        """
        find_module(self.model, tap.path, self.name)
        try:
            return self.trace.shape(tap)
        except KeyError:
            raise ValueError(
                f'{str(tap)!r} of {self.name} has no {tap.kind} in a forward without '
                'labels: the module does not run, or takes and gives no tensor.'
            ) from None


def view_of(model: Any) -> ModelView:
    """The view of a distiller's student, or one of a model that is trained alone."""
    return getattr(model, 'student_view', None) or ModelView(model)


LAYERS: Any = (nn.Linear, nn.modules.conv._ConvNd)
"""What a main classifier is."""
