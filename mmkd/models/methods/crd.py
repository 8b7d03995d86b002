"""Contrastive representation distillation."""

from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmkd.models.discovery import ModelView
from mmkd.models.memories import ContrastMemory
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.methods.values import at_least
from mmkd.models.taps import Taps
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class CRD(FeatureMethod):
    """Tell the teacher's view of an image from its views of other classes.

    Both pooled features are embedded linearly, and a memory keeps the
    embeddings of every training image. Images only.

    The method has two requirements: ``PrepareMethodsHook``, which is part of
    ``configs/_base_/distill.py``, passes it the training set's classes, and
    data samples carry ``sample_idx``, which MMPretrain's ``PackInputs`` adds by
    default.

    Source: Tian et al., "Contrastive Representation Distillation"
    (https://arxiv.org/abs/1910.10699). The settings are those of
    https://github.com/HobbitLong/RepDistiller. Negatives are drawn
    independently, as noise-contrastive estimation assumes, whereas that code's
    loader draws every sample at most once.

    Args:
        student: The student.
        teacher: The teacher, of any width.
        channels: Width of the embeddings.
        negatives: Number of negatives that the loss contrasts a sample with.
        momentum: Share of a memory entry that is kept when its image is seen,
            at least 0 and below 1.
        **kwargs: See :class:`FeatureMethod`.

    Raises:
        ValueError: If the student classifies pixels, a stage does not exist,
            or a value is out of range.
    """

    weight = 0.8
    default_loss = {'type': 'ContrastiveRepresentationLoss'}  # noqa: RUF012
    only_for = 'images'
    instead = (
        'CRD stores every training image, and there are too many pixels for that. '
        'Use CIRKD for pixels.'
    )

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        channels: int = 128,
        negatives: int = 16384,
        momentum: float = 0.5,
        **kwargs: Any,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f'momentum must be at least 0 and below 1, got {momentum}')
        at_least(1, channels=channels, negatives=negatives)
        super().__init__(student, teacher, **kwargs)
        self.negatives = negatives
        self.student_embedding = nn.Linear(self.student_width, channels)
        self.teacher_embedding = nn.Linear(self.teacher_width, channels)
        self.memory = ContrastMemory(channels, momentum)

    def prepare(self, dataset: Any) -> None:
        """Store the classes of the training set.

        Raises:
            ValueError: If the data set is a concatenation, in which several
                samples share an index, or does not have one class per image.
        """
        # RepeatDataset and similar wrappers keep the inner data set's indices.
        while hasattr(dataset, 'dataset'):
            dataset = dataset.dataset
        if hasattr(dataset, 'datasets') or not hasattr(dataset, 'get_data_info'):
            raise ValueError(
                'CRD needs one data set with an index and a class for every image, '
                f'got {type(dataset).__name__}. Merge the annotations of '
                'several data sets into one.'
            )
        infos = (dataset.get_data_info(index) for index in range(len(dataset)))
        labels = [info.get('gt_label') for info in infos]
        if not all(isinstance(label, Integral) for label in labels):
            raise ValueError(
                f'CRD needs one gt_label for every image of {type(dataset).__name__}.'
            )
        self.memory.prepare(torch.tensor(labels))

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The contrastive loss, a scalar; the memory is updated with the batch.

        Raises:
            ValueError: If the data samples have no index or are mixed images.
            RuntimeError: If the method has not seen the training set.
        """
        memory, indices = self.memory, _indices(targets)
        if not len(memory.labels):
            raise RuntimeError(
                'CRD has not seen the training set: add '
                "dict(type='mmkd.PrepareMethodsHook') to default_hooks."
            )
        feature, expected = self.vectors(student_taps, teacher_taps)
        embedded = self.student_embedding(feature)
        expected = self.teacher_embedding(expected)
        views = normalize(embedded.float()), normalize(expected.float())
        # Copies: the update must not change what the backward pass reads.
        remembered = memory.student.clone(), memory.teacher.clone()
        rows = memory.draw(indices, self.negatives)
        loss = self.loss_fn(*views, *remembered, rows, memory.normalizers)
        memory.update(*views, indices)
        return {'loss': loss}


def _indices(targets: Targets) -> Tensor:
    if targets.indices is None:
        raise ValueError(
            "CRD needs the index of every image: 'sample_idx' must be among the "
            'meta_keys of PackInputs in the training pipeline, and the data set '
            "must work like MMEngine's BaseDataset."
        )
    if targets.scores is not None:
        raise ValueError(
            'CRD needs whole images: leave out mixup and CutMix '
            '(batch_augments of the data preprocessor).'
        )
    return targets.indices
