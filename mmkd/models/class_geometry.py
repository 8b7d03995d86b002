"""How features and classifier lie to each other, as neural collapse describes it."""

import math
from dataclasses import asdict, dataclass

import torch
from mmengine.dist import all_reduce
from torch import Tensor

ROUNDING = 1e-12
"""How far apart class means are that differ by rounding alone, in float64."""


@dataclass(frozen=True)
class Collapse:
    """How near features and classifier are to neural collapse: all 0 at its end.

    Where all class means are the same, as where no unit answers any image, the measures
    that take them are NaN.

    Attributes:
        within: Variability within classes divided by that between them, ``tr(S_W
            S_B^+) / K``; as large as one likes where classes are not told apart.
        mean_angles: How far the cosines between centred class means are from
            ``-1/(K-1)``, those of a simplex equiangular tight frame: mean absolute
            difference, ``1/(K-1)`` where they are orthogonal.
        mean_norms: Standard deviation of the lengths of centred class means, divided
            by their mean.
        row_angles: As ``mean_angles``, of the classifier's rows about their mean.
        row_norms: As ``mean_norms``, of the same.
        alignment: How far rows and means are from the same directions: the squared
            distance of both matrices, each divided by its norm; 2 where they are
            orthogonal, 4 where they are opposite.
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
    """Counts, sums and second moments of features by class, added up batch by batch.

    Args:
        num_classes: How many classes there are.
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
        """Add up what all processes have seen; all of them must call it."""
        for tensor in (self.counts, self.sums, self.products):
            all_reduce(tensor)

    def collapse(self, rows: Tensor) -> Collapse:
        """Measure it, over the classes that were seen.

        Args:
            rows: The classifier's weights, one row a class, ``(K, C)``.

        Raises:
            ValueError: If fewer than two classes were seen.

        Source: Papyan et al., "Prevalence of neural collapse during the terminal phase
        of deep learning training", PNAS 2020, NC1 to NC3 of its section 2.
        """
        seen = self.counts > 0
        count = int(seen.sum())
        if count < 2:
            raise ValueError(
                f'neural collapse is measured between classes, and features of {count} '
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
    """``tr(S_W S_B^+)``; NaN where there is nothing between."""
    if between.isnan().any():
        return math.nan
    return (within * torch.linalg.pinv(between, hermitian=True)).sum().item()


def spread(valid: Tensor, count: int) -> Tensor:
    """Numbers of some positions that have a class, spread evenly over them.

    Args:
        valid: Which have one, bool ``(P,)``.
        count: How many are wanted, at most.

    Returns:
        Int64, of at most ``count``.
    """
    places = valid.nonzero().flatten()
    count = min(count, len(places))
    steps = torch.linspace(0, max(len(places) - 1, 0), count, device=places.device)
    return places[steps.round().long()]


def _angles(vectors: Tensor) -> float:
    """Mean absolute difference of their cosines from those of a simplex frame."""
    count = len(vectors)
    directions = torch.nn.functional.normalize(vectors, dim=1)
    cosines = directions @ directions.T
    apart = ~torch.eye(count, dtype=torch.bool)
    return (cosines[apart] + 1 / (count - 1)).abs().mean().item()


def _spread(lengths: Tensor) -> float:
    return (lengths.std(correction=0) / lengths.mean()).item()
