"""The geometry of features and classifier, as described by neural collapse."""

import math
from dataclasses import asdict, dataclass

import torch
from mmengine.dist import all_reduce
from torch import Tensor

ROUNDING = 1e-12
"""Relative distance of class means that differ only by rounding, in float64."""


@dataclass(frozen=True)
class Collapse:
    """How close features and classifier are to neural collapse: all 0 when complete.

    If all class means are equal, such as when no unit responds to any image, the
    measures that use them are NaN.

    Attributes:
        within: Variability within classes divided by that between them, ``tr(S_W
            S_B^+) / K``; unbounded if classes are not separated.
        mean_angles: How far the cosines between centred class means are from
            ``-1/(K-1)``, those of a simplex equiangular tight frame: mean absolute
            difference, ``1/(K-1)`` if they are orthogonal.
        mean_norms: Standard deviation of the lengths of centred class means, divided
            by their mean.
        row_angles: As ``mean_angles``, for the classifier's centred rows.
        row_norms: As ``mean_norms``, for the same rows.
        alignment: How far rows and means are from the same directions: the squared
            distance of both matrices, each divided by its norm; 2 if they are
            orthogonal, 4 if they are opposite.
    """

    within: float
    mean_angles: float
    mean_norms: float
    row_angles: float
    row_norms: float
    alignment: float

    def as_dict(self) -> dict[str, float]:
        """The measures by name."""
        return asdict(self)


class ClassMoments:
    """Counts and sums of features by class and their second moment, over batches.

    Args:
        num_classes: The number of classes.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts = torch.zeros(num_classes, dtype=torch.float64)
        self.sums = torch.zeros(num_classes, 0, dtype=torch.float64)
        self.products = torch.zeros(0, 0, dtype=torch.float64)

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Add some features.

        Args:
            features: ``(N, C)``.
            labels: The class of each, int64 ``(N,)``.
        """
        features, labels = features.detach().double().cpu(), labels.cpu()
        if not self.sums.shape[1]:
            width = features.shape[1]
            self.sums = self.sums.new_zeros(self.num_classes, width)
            self.products = self.products.new_zeros(width, width)
        self.counts += torch.bincount(labels, minlength=self.num_classes)
        self.sums.index_add_(0, labels, features)
        self.products += features.T @ features

    def gather(self) -> None:
        """Sum over all processes; all of them must call it."""
        for tensor in (self.counts, self.sums, self.products):
            all_reduce(tensor)

    def collapse(self, rows: Tensor) -> Collapse:
        """Measure neural collapse over the classes that were seen.

        Args:
            rows: The classifier's weights, one row per class, ``(K, C)``.

        Raises:
            ValueError: If fewer than two classes were seen.

        Source: Papyan et al., "Prevalence of neural collapse during the terminal phase
        of deep learning training", PNAS 2020, NC1 to NC3 of its section 2.
        """
        seen = self.counts > 0
        count = int(seen.sum())
        if count < 2:
            raise ValueError(
                f'neural collapse is measured between classes, but features of {count} '
                'were seen.'
            )
        means = self.sums[seen] / self.counts[seen, None]
        weighed = (means * self.counts[seen, None]).T @ means
        within = (self.products - weighed) / self.counts.sum()
        centred = means - means.mean(0)
        if centred.norm() <= ROUNDING * means.norm():
            centred = torch.full_like(centred, torch.nan)
        between = centred.T @ centred / count
        rows = rows.detach().double().cpu()[seen]
        rows = rows - rows.mean(0)
        difference = rows / rows.norm() - centred / centred.norm()
        return Collapse(
            within=_within(within, between) / count,
            mean_angles=_angles(centred),
            mean_norms=_spread(centred.norm(dim=1)),
            row_angles=_angles(rows),
            row_norms=_spread(rows.norm(dim=1)),
            alignment=difference.square().sum().item(),
        )


def _within(within: Tensor, between: Tensor) -> float:
    """``tr(S_W S_B^+)``; NaN if ``between`` is."""
    if between.isnan().any():
        return math.nan
    return (within * torch.linalg.pinv(between, hermitian=True)).sum().item()


def spread(valid: Tensor, count: int) -> Tensor:
    """Indices of some positions that have a class, spread evenly over them.

    Args:
        valid: Which positions have a class, bool ``(P,)``.
        count: The maximum number of indices.

    Returns:
        At most ``count`` indices, int64.
    """
    places = valid.nonzero().flatten()
    count = min(count, len(places))
    steps = torch.linspace(0, max(len(places) - 1, 0), count, device=places.device)
    return places[steps.round().long()]


def _angles(vectors: Tensor) -> float:
    """Mean absolute difference of cosines from those of a simplex frame."""
    count = len(vectors)
    directions = torch.nn.functional.normalize(vectors, dim=1)
    cosines = directions @ directions.T
    apart = ~torch.eye(count, dtype=torch.bool)
    return (cosines[apart] + 1 / (count - 1)).abs().mean().item()


def _spread(lengths: Tensor) -> float:
    return (lengths.std(correction=0) / lengths.mean()).item()
