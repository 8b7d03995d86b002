"""Projection of directions in feature space onto the plane of a picture."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mmkd.analysis.directions import Directions


def three_classes(found: Directions, first: int) -> list[int]:
    """A class and the two others with the highest mean logits for its features.

    Args:
        found: Features and rows.
        first: The class.

    Raises:
        ValueError: If the class has no feature, or there are fewer than three.
    """
    own = found.features[found.labels == first]
    if not len(own) or len(found.rows) < 3:
        raise ValueError(
            f'class {first} of {len(found.rows)} has {len(own)} features: the picture '
            'needs one with features, and two others.'
        )
    answers = (own @ found.rows.T).mean(0)
    answers[first] = -torch.inf
    return [first, *answers.topk(2).indices.tolist()]


def plane_of(rows: Tensor) -> Tensor:
    """The plane through the ends of three vectors, with the first at the top.

    Args:
        rows: ``(3, C)``.

    Returns:
        Two axes of length 1, right and up, ``(2, C)``.
    """
    right = F.normalize(rows[2] - rows[1], dim=0)
    up = rows[0] - rows.mean(0)
    return torch.stack([right, F.normalize(up - (up @ right) * right, dim=0)])


def drawn(gradients: Tensor, plane: Tensor) -> Tensor:
    """Gradient descent steps, as drawn.

    Args:
        gradients: ``(P, C)``.
        plane: Two axes, ``(2, C)``.

    Returns:
        ``(P, 2)``: the direction is that of the step's projection onto the plane, the
        length that of the whole step relative to the longest.
    """
    lengths = gradients.norm(dim=1, keepdim=True)
    directions = F.normalize(-gradients @ plane.T, dim=1)
    return directions * lengths / lengths.max().clamp(min=torch.finfo().tiny)
