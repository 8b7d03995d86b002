"""Inputs of a student's classifier on test images."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmkd.analysis.trained import Trained
from mmkd.models.class_geometry import spread
from mmkd.models.discovery import view_of
from mmkd.models.taps import capture


class Features(NamedTuple):
    """Features with their classes.

    Attributes:
        vectors: ``(P, C)``, float64.
        labels: int64 ``(P,)``.
    """

    vectors: Tensor
    labels: Tensor


def features_of(student: Trained, images: int, positions: int) -> Features:
    """Collect the main classifier's inputs.

    Args:
        student: The student.
        images: How many, spread evenly over the validation images.
        positions: Pixels per image, spread evenly over those with a class.

    Raises:
        ValueError: If an image may have several classes.
    """
    view = view_of(student.model)
    if not view.task.one_class_each:
        raise ValueError('images have several labels: a feature has no single class.')
    vectors, labels = [], []
    for data in student.batches(images):
        with capture(student.model, [view.feature]) as taps, torch.no_grad():
            student.model(data['inputs'], data['data_samples'], mode='tensor')
        for value, sample in zip(
            taps[view.feature].double().cpu(), data['data_samples'], strict=True
        ):
            targets = view.task.targets([sample]).resized(value.shape[1:])
            places = spread(targets.valid.flatten().cpu(), positions)
            vectors.append(value.reshape(len(value), -1).T[places])
            labels.append(targets.labels.flatten().cpu()[places])
    return Features(torch.cat(vectors), torch.cat(labels))


def chosen_of(labels: Tensor, classes: int, points: int) -> Tensor:
    """Indices of the features to draw.

    Args:
        labels: The class of each, ``(P,)``.
        classes: How many classes, spread evenly over those that occur.
        points: Maximum number of features, split equally between the classes.
    """
    present = labels.unique()
    present = present[spread(torch.ones(len(present), dtype=torch.bool), classes)]
    each = max(points // len(present), 1)
    return torch.cat([spread(labels == label, each) for label in present])
