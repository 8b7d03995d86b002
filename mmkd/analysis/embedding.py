"""Features of several students in the plane, as in Figure 5 of Dual-Head KD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from torch import Tensor

from mmkd.analysis.features import Features
from mmkd.analysis.pictures import COLOURS

MARKS = 'osD^vP*X<>'
PERPLEXITY = 30.0
"""scikit-learn's default."""


@dataclass(frozen=True)
class Embedding:
    """Features embedded in the plane.

    Attributes:
        places: ``(P, 2)``.
        silhouette: Of the original features, by class: 1 if classes are tight and far
            apart, 0 if they overlap. That of the picture differs, because t-SNE pulls
            neighbours together.
    """

    places: np.ndarray
    silhouette: float


def embed(features: Features) -> Embedding:
    """Embed features by t-SNE, initialised by principal components, not at random.

    Args:
        features: The features to show.

    Raises:
        ValueError: If there are fewer than two classes, or no class has two features.
    """
    vectors, labels = features.vectors.numpy(), features.labels.numpy()
    classes = len(set(labels.tolist()))
    if not 1 < classes < len(labels):
        raise ValueError(
            f'{len(labels)} features of {classes} classes have no silhouette: it needs '
            'two classes, and one with two features. Choose more images, classes or '
            'points.'
        )
    layout = TSNE(
        perplexity=min(PERPLEXITY, (len(labels) - 1) / 3),
        init='pca',
        random_state=0,
    )
    silhouette = float(silhouette_score(vectors, labels))
    return Embedding(layout.fit_transform(vectors), silhouette)


def draw(
    embeddings: Mapping[str, Embedding], labels: Tensor, names: Sequence[str]
) -> Figure:
    """Draw students side by side.

    Args:
        embeddings: By label of the student.
        labels: The class of each point, the same in all.
        names: Names of all classes.
    """
    count = len(embeddings)
    present = sorted(set(labels.tolist()))
    columns = min(max(5 * count // 2, 1), len(present))
    rows = -(-len(present) // columns)
    figure, axes = plt.subplots(
        1, count, figsize=(2.9 * count, 3.7), dpi=95, squeeze=False
    )
    for place, (name, found) in zip(axes.flat, embeddings.items(), strict=True):
        points = [
            place.scatter(
                *found.places[(labels == label).numpy()].T,
                s=12,
                color=COLOURS[number % len(COLOURS)],
                marker=MARKS[number % len(MARKS)],
                linewidths=0,
            )
            for number, label in enumerate(present)
        ]
        title = f'{name}\nsilhouette {found.silhouette:.3f}'
        place.set_title(title, loc='left', fontsize=9.5)
        place.set_xticks([])
        place.set_yticks([])
        place.spines[:].set_color('#bbbbbb')
    figure.legend(
        points,
        # Given here: labels of points are left out if they begin with an underscore.
        [names[label] for label in present],
        loc='lower center',
        ncols=columns,
        frameon=False,
        fontsize=8.5,
        markerscale=1.6,
        handletextpad=0.2,
        columnspacing=1.0,
    )
    figure.tight_layout(rect=(0, 0.055 * rows, 1, 1))
    return figure
