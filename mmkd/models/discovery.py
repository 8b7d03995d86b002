"""What mmkd must know of a model, found in the model instead of typed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from mmkd.arguments import check_arguments
from mmkd.models.probing import Trace, image_channels, trace
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
        """Channels of the logits."""
        return self.shape(OUTPUT)[1]

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return image_channels(self.model)

    @cached_property
    def classifier(self) -> str:
        """Path of the module whose output is the model's logits.

        Raises:
            ValueError: If no single layer puts them out.
        """
        if self._classifier is not None:
            return self._classifier
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
            'classifier=PATH.'
        )

    @property
    def feature(self) -> Tap:
        """The main classifier's input."""
        return Tap(self.classifier, 'input')

    @property
    def logits(self) -> Tap:
        """The main classifier's output."""
        return Tap(self.classifier)

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
            raise ValueError(
                f'{self.name} has no stage {stage}. Stages found: {found}. Give a '
                'number from 0 or a module path.'
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


LAYERS: Any = (nn.Linear, nn.modules.conv._ConvNd)
"""What a main classifier is."""
