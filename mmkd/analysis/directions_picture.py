"""Figure 3 of Dual-Head KD, from measured gradients."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mmkd.analysis.directions import Directions
from mmkd.analysis.pictures import BLACK, BLUE, GREY, SKY, VERMILION, plain
from mmkd.analysis.planes import drawn, plane_of, three_classes

LOSSES = (('task', BLUE), ('distillation', VERMILION))
SAMPLES = 30
"""Maximum number of features whose gradients are drawn individually."""

FOOT, ROW = 0.4, 2.9
"""Height of the legend, and of each training, in inches."""


def draw(found: Mapping[str, Directions], names: Sequence[str], first: int) -> Figure:
    """Draw a row per training: gradients at rows, at features, and all cosines.

    Args:
        found: The measurements, by label of the training.
        names: Names of all classes.
        first: The class whose features are drawn.
    """
    height = FOOT + ROW * len(found)
    figure, axes = plt.subplots(
        len(found), 3, figsize=(8.0, height), dpi=95, squeeze=False
    )
    for places, (label, each) in zip(axes, found.items(), strict=True):
        chosen = three_classes(each, first)
        own = each.labels == first
        _draw_rows(places[0], each, chosen, own, [names[k] for k in chosen])
        _draw_features(places[1], each, chosen, own)
        _draw_cosines(places[2], each)
        places[0].set_title(f'{label}:\nat rows', loc='left', fontsize=9.5)
        title = f'at {int(own.sum())} features of {names[first]}'
        places[1].set_title(title, loc='left', fontsize=9.5)
    marks: dict[str, dict[str, Any]]
    marks = {f'step of the {name}': dict(color=colour) for name, colour in LOSSES}
    marks |= {
        name: dict(color=colour, marker='*', linestyle='none', markersize=8)
        for name, colour in (('rows', BLACK), ("the head's rows", GREY))
    }
    figure.legend(
        [plt.Line2D([], [], **look) for look in marks.values()],
        list(marks),
        loc='lower left',
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    figure.tight_layout(rect=(0, FOOT / height, 1, 0.985))
    return figure


def _draw_rows(
    axes: Axes, found: Directions, chosen: list[int], own: Tensor, names: Sequence[str]
) -> None:
    """The rows of three classes, and where the features of one move them."""
    plane = plane_of(found.rows[chosen])
    begin = _draw_stars(axes, found.rows[chosen], plane)
    for name, (x, y) in zip(names, begin.tolist(), strict=True):
        offset = (13, -3) if y > 0 else (0, -15)
        side = 'left' if y > 0 else 'center'
        axes.annotate(
            name, (x, y), offset, textcoords='offset points', ha=side, fontsize=8
        )
    _draw_steps(axes, begin, found.at_rows(own)[:, chosen], plane)
    at_head_rows = found.at_head_rows(own)
    if found.head_rows is not None and at_head_rows is not None:
        plane = plane_of(found.head_rows[chosen])
        begin = _draw_stars(axes, found.head_rows[chosen], plane, 0.4, GREY)
        _draw_steps(axes, begin, at_head_rows[:, chosen], plane)
    _frame(axes)


def _draw_stars(
    axes: Axes, rows: Tensor, plane: Tensor, size: float = 1.0, colour: str = BLACK
) -> Tensor:
    """Mark the ends of three rows around their mean, and return their positions."""
    places = (rows - rows.mean(0)) @ plane.T
    places = size * places / places.norm(dim=1).max()
    x, y = places.T.tolist()
    axes.scatter(x, y, marker='*', s=70, color=colour, zorder=3)
    return places


def _draw_steps(axes: Axes, begin: Tensor, gradients: Tensor, plane: Tensor) -> None:
    for side, ((_, colour), gradient) in enumerate(zip(LOSSES, gradients, strict=True)):
        steps = 0.6 * drawn(gradient, plane)
        for (x, y), (right, up) in zip(begin.tolist(), steps.tolist(), strict=True):
            if right or up:
                # Side by side, since both lie along the same line.
                x += 0.07 * (2 * side - 1)
                _arrow(axes, (x, y), (x + right, y + up), colour)


def _draw_features(
    axes: Axes, found: Directions, chosen: list[int], own: Tensor
) -> None:
    """Where each loss moves features of one class, individually and on average."""
    plane = plane_of(found.rows[chosen])
    _draw_stars(axes, found.rows[chosen], plane)
    some = torch.linspace(0, int(own.sum()) - 1, min(SAMPLES, int(own.sum()))).long()
    means = []
    for (_, colour), gradients in zip(LOSSES, found.at_features[:, own], strict=True):
        for right, up in drawn(gradients[some], plane).tolist():
            axes.plot([0, right], [0, up], color=colour, alpha=0.4, linewidth=0.8)
        means.append(drawn(gradients.mean(0, keepdim=True), plane)[0].tolist())
    for (_, colour), (right, up) in zip(LOSSES, means, strict=True):
        _arrow(axes, (0, 0), (1.25 * right, 1.25 * up), colour, 2.4)
    _frame(axes)


def _arrow(
    axes: Axes,
    begin: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    width: float = 1.8,
) -> None:
    look = dict(arrowstyle='->', color=colour, linewidth=width, shrinkA=0, shrinkB=0)
    axes.annotate('', end, begin, arrowprops=look)


def _frame(axes: Axes) -> None:
    axes.set_xlim(-1.5, 1.5)
    axes.set_ylim(-1.3, 1.7)
    axes.set_aspect('equal')
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color('#bbbbbb')


def _draw_cosines(axes: Axes, found: Directions) -> None:
    """Histograms of the cosine of the two gradients, for features and for rows."""
    plain(axes, 'cosine of the two, all classes')
    edges = torch.linspace(-1, 1, 41).tolist()
    looks: dict[str, dict[str, Any]] = dict(
        features=dict(color=SKY), rows=dict(color=BLACK, histtype='step', linewidth=1.3)
    )
    told = []
    for name, values in (
        ('features', found.feature_cosines),
        ('rows', found.row_cosines),
    ):
        if not len(values):
            told.append(f'{name}: none has both gradients')
            continue
        shares = torch.full_like(values, 100 / len(values))
        axes.hist(
            values.numpy(), edges, weights=shares.numpy(), label=name, **looks[name]
        )
        below = 100 * values.lt(0).double().mean()
        told.append(f'{name}: mean {values.mean():.2f}, below 0 {below:.0f} %')
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(-1, 1)
    axes.set_xlabel('\n'.join(told), fontsize=8.5)
    axes.set_ylabel('per cent', fontsize=8.5)
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    axes.legend(frameon=False, fontsize=8, loc='upper left', ncols=2)
