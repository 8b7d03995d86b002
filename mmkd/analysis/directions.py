"""Directions of task and distillation gradients, at features and classifier."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.structures import PixelData
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.analysis.trained import Trained
from mmkd.loss_groups import groups_of
from mmkd.models.class_geometry import spread
from mmkd.models.class_names import names_of
from mmkd.models.discovery import ModelView
from mmkd.models.methods import Method
from mmkd.models.taps import find_module, first_tensor
from mmkd.models.tasks import PixelTask, Task
from mmkd.models.teachers import RecordedTeacher
from mmkd.models.watching import Kind, watch


@dataclass(frozen=True)
class Directions:
    """Features and classifier of a student, with the gradients of both losses.

    Gradients are the task's, then distillation's; 0 where a loss has none.

    Attributes:
        features: Inputs of the main classifier, ``(P, C)``.
        labels: The class of each feature, ``(P,)``.
        rows: The main classifier's weights, ``(K, C)``.
        head_rows: Those of a distillation head with the same inputs, ``(K, C)``; None
            if there is no linear one.
        at_features: With respect to the features, ``(2, P, C)``.
        at_logits: With respect to the main classifier's logits, ``(2, P, K)``.
        at_head_logits: Likewise for the head's logits, or None.
    """

    features: Tensor
    labels: Tensor
    rows: Tensor
    head_rows: Tensor | None
    at_features: Tensor
    at_logits: Tensor
    at_head_logits: Tensor | None

    def at_rows(self, of: Tensor | None = None) -> Tensor:
        """Gradients with respect to the main classifier's rows.

        Args:
            of: The features to include, bool ``(P,)``; None for all.

        Returns:
            ``(2, K, C)``: a logit is a row times a feature, so the gradient at the row
            is the gradient at the logit times the feature.
        """
        return self._at_rows(self.at_logits, of)

    def at_head_rows(self, of: Tensor | None = None) -> Tensor | None:
        """Likewise with respect to the head's rows, or None."""
        if self.at_head_logits is None:
            return None
        return self._at_rows(self.at_head_logits, of)

    def _at_rows(self, at_logits: Tensor, of: Tensor | None) -> Tensor:
        of = torch.ones_like(self.labels, dtype=torch.bool) if of is None else of
        return at_logits[:, of].mT @ self.features[of]

    @property
    def feature_cosines(self) -> Tensor:
        """The cosine of the two gradients at each feature where neither is 0."""
        return cosines(self.at_features)

    @property
    def row_cosines(self) -> Tensor:
        """Likewise at each row of the main classifier, over all features."""
        return cosines(self.at_rows())


def cosines(gradients: Tensor) -> Tensor:
    """The cosine of two gradients at each place where neither is 0.

    Args:
        gradients: ``(2, P, C)``.
    """
    reached = gradients.abs().amax(2).gt(0).all(0)
    return F.cosine_similarity(gradients[0], gradients[1], dim=1, eps=0)[reached]


def directions_of(run: Trained, images: int, positions: int) -> Directions:
    """Measure the gradients on validation images, with the model in evaluation mode.

    Args:
        run: A distiller and its images.
        images: How many, spread evenly.
        positions: How many pixels of each to use, spread evenly over those with a
            class.

    Raises:
        ValueError: If the model is trained without a teacher, or its losses need the
            training images, its classifier does not have one row per class, or an image
            may have several classes.
    """
    model = run.model
    view: ModelView | None = getattr(model, 'student_view', None)
    if view is None:
        raise ValueError('a model trained without a teacher has one loss only.')
    _prepare(run)
    if not view.task.one_class_each:
        raise ValueError('images have several labels: a feature has no single class.')
    classifier: Any = find_module(view.model, view.classifier)
    rows = classifier.weight.detach().flatten(1)
    if rows.shape != (view.num_classes, view.shape(view.feature)[1]):
        raise ValueError(
            f'{view.classifier!r} does not have one row per class: its weights are '
            f'{tuple(classifier.weight.shape)}.'
        )
    head: Any = _head(model, rows)
    watched: list[tuple[nn.Module, Kind]] = [
        (classifier, 'input'),
        (classifier, 'output'),
    ]
    if head is not None:
        watched.append((head, 'output'))
    labels, features, gradients = [], [], []
    for data in run.batches(images):
        _pad_labels(view.task, data['data_samples'])
        with _watching(watched) as seen:
            losses = model(**data, mode='loss')
        values = [first_tensor(value) for value in seen]
        groups = groups_of(model.parse_losses(losses)[0])
        each = [_gradients(loss, values) for loss in groups]
        targets = view.task.targets(data['data_samples']).resized(values[0].shape[2:])
        valid = targets.valid.reshape(len(values[0]), -1).cpu()
        places = torch.cat(
            [n * valid.shape[1] + spread(v, positions) for n, v in enumerate(valid)]
        )
        labels.append(targets.labels.flatten().cpu()[places])
        features.append(_vectors(values[0])[places])
        pairs = zip(*each, strict=True)
        gradients.append([torch.stack(pair)[:, places] for pair in pairs])
    at_features, at_logits, *rest = (
        torch.cat(parts, 1) for parts in zip(*gradients, strict=True)
    )
    return Directions(
        torch.cat(features),
        torch.cat(labels),
        rows.double().cpu(),
        head.weight.detach().flatten(1).double().cpu() if head else None,
        at_features,
        at_logits,
        rest[0] if rest else None,
    )


def _prepare(run: Trained) -> None:
    """Match the teacher's classes and set schedules, as hooks do in a training.

    Raises:
        ValueError: If the losses need the training images.
    """
    if isinstance(run.model.teacher, RecordedTeacher):
        raise ValueError(
            'its teacher was recorded for its training images, and validation images '
            'are measured: train it with --teacher.'
        )
    for name, method in run.model.named_methods.items():
        if type(method).prepare is not Method.prepare:
            raise ValueError(
                f'methods.{name} compares training images with each other, and '
                'validation images are measured.'
            )
        if method.schedule_factor is None:
            # The scale of a loss has no direction.
            method.schedule_factor = 1.0
    if run.model.compares_classes:
        run.model.teacher.classes.match(names_of(run.loader.dataset))


def _pad_labels(task: Task, data_samples: Sequence[Any]) -> None:
    """Pad the labels as their images are, for the model's own loss."""
    if not isinstance(task, PixelTask):
        return
    for sample in data_samples:
        sample.gt_sem_seg = PixelData(data=task.padded(sample))
        sample.set_metainfo(dict(img_padding_size=(0, 0, 0, 0)))


def _head(model: nn.Module, rows: Tensor) -> nn.Module | None:
    """The only linear layer of the methods with the classifier's shape, if any."""
    found = [
        module
        for module in model.get_submodule('methods').modules()
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd))
        and module.weight.flatten(1).shape == rows.shape
    ]
    return found[0] if len(found) == 1 else None


@contextmanager
def _watching(places: list[tuple[nn.Module, Kind]]) -> Iterator[list[Any]]:
    """Collect inputs or outputs of modules in a list, in their order."""
    seen: list[Any] = [None] * len(places)
    with ExitStack() as stack:
        for number, (module, kind) in enumerate(places):
            stack.callback(watch(module, kind, _putting(seen, number)))
        yield seen


def _putting(seen: list[Any], number: int) -> Any:
    return lambda value: seen.__setitem__(number, value)


def _gradients(loss: Tensor | None, places: list[Tensor]) -> list[Tensor]:
    """Gradients of a loss with respect to tensors, as one vector per position."""
    if loss is None or not loss.requires_grad:
        found: Any = [None] * len(places)
    else:
        found = torch.autograd.grad(loss, places, retain_graph=True, allow_unused=True)
    return [
        _vectors(torch.zeros_like(place) if gradient is None else gradient)
        for place, gradient in zip(places, found, strict=True)
    ]


def _vectors(value: Tensor) -> Tensor:
    """Reshape ``(N, C, *)`` to ``(positions, C)``, float64."""
    return value.detach().double().cpu().movedim(1, -1).reshape(-1, value.shape[1])
