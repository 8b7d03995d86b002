"""What mmkd must know of a model, found in the model instead of typed."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmkd.models.parts import check_settings
from mmkd.models.taps import Tap, capture, find_module
from mmkd.models.tasks import Task, task_of
from mmkd.models.undisturbed import undisturbed

OUTPUT = Tap('')
"""What the model itself returns in tensor mode: its logits."""

Stage: TypeAlias = int | str | Mapping[str, Any]
"""How a method names a stage, see :meth:`ModelView.stage`."""

PROBE_SIZES = ((64, 64), (32, 32), (224, 224))
"""Heights and widths in pixels of the blank images tried, in this order."""


class ModelView:
    """A built model, its task, and the places and widths that methods ask for.

    Everything is found by one forward of a tiny blank image, in evaluation
    mode and without gradient, when it is first asked for.

    Args:
        model: A classifier of MMPretrain or a segmentor of MMSegmentation.
        classifier: Module path of the main classifier, where discovery shall
            be overridden.

    Attributes:
        class_names: What the model's checkpoint calls its classes, if that is known.
        shapes: Shapes by tap, of those that were asked for, for one blank image.
        born: The number of the first hook that is not the model's own.
    """

    def __init__(self, model: nn.Module, classifier: str | None = None) -> None:
        self.model = model
        self.task: Task = task_of(model)
        self._classifier = classifier
        self.class_names: Sequence[str] | None = None
        self.shapes: dict[Tap, torch.Size] = {}
        self.born = RemovableHandle.next_id

    @cached_property
    def num_classes(self) -> int:
        """Channels of the logits."""
        return self.shape(OUTPUT)[1]

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return _convolutions(self.model)[0].in_channels

    @cached_property
    def classifier(self) -> str:
        """Path of the module whose output is the model's logits.

        Raises:
            ValueError: If no single layer puts them out.
        """
        if self._classifier is not None:
            return self._classifier
        layers = {
            Tap(path): module
            for path, module in self.model.named_modules()
            if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd))
        }
        values = self._probe([OUTPUT, *layers])
        for tap in layers:
            if tap in values and values[tap] is values[OUTPUT]:
                return tap.path
        raise ValueError(
            f'{type(self.model).__name__} has no recognisable main classifier: '
            'no linear or convolutional layer returns its logits. Layers whose '
            f'width is the number of classes: {self._candidates(layers) or "none"}. '
            'Name it in the config, as classifier=PATH.'
        )

    def _candidates(self, layers: Mapping[Tap, Any]) -> list[str]:
        return [
            tap.path
            for tap, layer in layers.items()
            if layer.weight.shape[0] == self.num_classes
        ]

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
        """The ends of the backbone's stages, in the order they run.

        A stage is a run of the backbone's blocks whose maps have one size; a
        block with dilated convolutions counts as if it had strides instead.
        The stem is no stage.
        """
        blocks = dict(_blocks(self.model))
        values = self._probe([Tap(path) for path in blocks])
        ends: dict[tuple[int, ...], Tap] = {}
        for tap, value in values.items():
            if value.dim() == 4:
                ends[(*value.shape[2:], _dilation(blocks[tap.path]))] = tap
        return list(ends.values())

    @property
    def has_stem(self) -> bool:
        """Whether the first stage reads features of a stem, and not the image."""
        paths = [path for path, _ in _blocks(self.model)]
        stem = next(
            path
            for path, module in self.model.named_modules()
            if isinstance(module, nn.modules.conv._ConvNd)
        )
        return not any(stem.startswith(f'{path}.') for path in paths)

    def stage(self, stage: Stage) -> Tap:
        """The end of one stage, or another place that is named in its stead.

        Args:
            stage: A number from 0, a module path, or the settings of a :class:`Tap`,
                as ``dict(path='backbone.layer1.4.relu', kind='input', call=1)``.

        Raises:
            ValueError: If there is no such stage, or a setting is wrong.
        """
        if isinstance(stage, str):
            return Tap(stage)
        if isinstance(stage, Mapping):
            check_settings('a stage', Tap, stage)
            return Tap(**stage)
        if not 0 <= stage < len(self.stages):
            found = ', '.join(tap.path for tap in self.stages) or 'none'
            raise ValueError(
                f'{type(self.model).__name__} has no stage {stage}. Stages found: '
                f'{found}. Give a number from 0 or a module path.'
            )
        return self.stages[stage]

    def shape(self, tap: Tap) -> torch.Size:
        """Shape of a tap's value for the blank image, batch dimension 1."""
        if tap not in self.shapes:
            self.look([tap], strict=True)
        return self.shapes[tap]

    def look(self, taps: Iterable[Tap], strict: bool = False) -> None:
        """Find the shapes of taps, all of them or as far as a forward gets."""
        values = self._probe(set(taps) - self.shapes.keys(), strict)
        self.shapes.update({tap: value.shape for tap, value in values.items()})

    def _probe(self, taps: Iterable[Tap], strict: bool = False) -> dict[Tap, Tensor]:
        return probe(self.model, taps, strict, self.born)


def _blocks(model: Any) -> list[tuple[str, nn.Module]]:
    """The family of numbered children that makes up most of the backbone.

    Stems, transitions and closing 1x1 convolutions carry other names or mix no
    neighbouring pixels.
    """
    children = [
        (f'backbone.{name}', child) for name, child in model.backbone.named_children()
    ]
    families: dict[str, list[tuple[str, nn.Module]]] = {}
    for path, child in children:
        if isinstance(child, nn.ModuleList):
            children += [(f'{path}.{name}', c) for name, c in child.named_children()]
        elif any(max(conv.kernel_size) > 1 for conv in _convolutions(child)):
            families.setdefault(path.rstrip('0123456789'), []).append((path, child))
    return max(families.values(), key=_size, default=[])


def _size(family: list[tuple[str, nn.Module]]) -> int:
    return sum(p.numel() for _, block in family for p in block.parameters())


def _convolutions(module: nn.Module) -> list[nn.modules.conv._ConvNd]:
    return [m for m in module.modules() if isinstance(m, nn.modules.conv._ConvNd)]


def _dilation(module: nn.Module) -> int:
    return max(max(conv.dilation) for conv in _convolutions(module))


def probe(
    model: nn.Module,
    taps: Iterable[Tap],
    strict: bool = True,
    born: float = math.inf,
) -> dict[Tap, Tensor]:
    """Run a model on a tiny blank image and capture taps.

    The model is left as it was, see :func:`undisturbed`.

    Args:
        model: A model with MMEngine's ``mode='tensor'``.
        taps: What to capture.
        strict: Whether a tap that the forward does not reach is an error.
        born: See :func:`undisturbed`.

    Returns:
        The captured tensors, batch dimension 1.

    Raises:
        ValueError: If a tap names a module that does not exist, or the model
            runs on none of the image sizes tried.
    """
    stem = _convolutions(model)[0]
    taps = list(taps)
    for tap in taps:
        find_module(model, tap.path)
    sizes = dict.fromkeys([*PROBE_SIZES, *_native_sizes(model)])
    failures = []
    for size in sizes:
        blank = stem.weight.new_zeros(1, stem.in_channels, *size)
        try:
            with (
                undisturbed(model, born),
                capture(model, taps, strict, copy=False) as values,
            ):
                model(blank, mode='tensor')
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            failures.append(f'{tuple(size)}: {error}')
        else:
            return values
    raise ValueError(
        f'{type(model).__name__} does not run on a blank image of any of the '
        f'sizes tried. {" | ".join(failures)}'
    )


def _native_sizes(model: nn.Module) -> Iterator[tuple[int, int]]:
    for module in model.modules():
        size = getattr(module, 'img_size', None)
        if size is not None:
            yield tuple(size) if isinstance(size, Sequence) else (size, size)
