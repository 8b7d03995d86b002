"""A network's predictions on a sample, counted."""

from dataclasses import dataclass, field

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from mmkd.models.tally import Tally
from mmkd.report.seen.networks import Network
from mmkd.report.seen.sample import Sample, small

AT_ONCE = 100
"""Batch size for classification; 1 for segmentation, since image sizes differ."""


@dataclass
class Answers:
    """A network's predictions.

    Attributes:
        tally: Their counts, by label and prediction.
        right: The accuracy on each image, NaN if it has no label.
        labels: The label of each image; empty for segmentation.
        predicted: The prediction for each image; a small map for segmentation.
    """

    tally: Tally
    right: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    predicted: list[np.ndarray] = field(default_factory=list)

    @property
    def by_class(self) -> np.ndarray:
        """IoU or accuracy per class in per cent, NaN for those without a label."""
        counts = self.tally.counts
        right, labelled = counts.diag(), counts.sum(1)
        of = labelled
        if self.tally.mean_iou:
            of = labelled + counts.sum(0)[:-1] - right
        return torch.where(labelled > 0, 100 * right / of, torch.nan).numpy()


@torch.no_grad()
def ask(network: Network, sample: Sample) -> Answers:
    """Run a network on a sample.

    Raises:
        ValueError: If images may have several labels, which are not counted.
    """
    task = network.task
    if not task.one_class_each:
        raise ValueError('images have several labels: their classes cannot be compared')
    tally = task.tally(network.num_classes)
    assert isinstance(tally, Tally)
    answers = Answers(tally)
    pixels = task.spatial_dims > 0
    for batch in sample.batches(1 if pixels else AT_ONCE):
        data = network.model.data_preprocessor(pseudo_collate(batch), False)
        for found in network.predict(data['inputs'], data['data_samples']):
            labels = task.expected_of(found).cpu()
            predicted = network.to_student(task.predictions_of(found)).cpu()
            if labels.numel():
                tally.add(labels, predicted)
            hits = (predicted == labels)[labels >= 0].double()
            answers.right.append(float(hits.mean()) if hits.numel() else np.nan)
            if pixels:
                answers.predicted.append(small(predicted[0]))
            else:
                answers.labels.append(int(labels) if labels.numel() else -1)
                answers.predicted.append(predicted.reshape(()).numpy())
    return answers
