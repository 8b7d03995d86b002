"""Figure 2 of Dual-Head KD, and below it plots that may explain it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    StrMethodFormatter,
)

from mmkd.analysis.four_settings import SETTINGS
from mmkd.analysis.pictures import BLUE, GREEN, ORANGE, VERMILION, plain
from mmkd.runs import Curve
from mmkd.spread import band

Runs = Mapping[str, Sequence[Mapping[str, Curve]]]
"""The curves of each seed, by setting."""

LOOKS = dict(
    cross_entropy=(BLUE, '-'),
    binary_kl=(ORANGE, (0, (5, 1.5))),
    one_head=(VERMILION, '-'),
    two_heads=(GREEN, (0, (5, 1.5))),
)
BOTH = ('one_head', 'two_heads')
"""The settings with two losses, whose gradients have an angle."""


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: Its title.
        key: The name of the logged value.
        settings: Those for which the value is meaningful.
        log: Whether the axis is logarithmic.
        zero: Whether a line marks 0.
    """

    title: str
    key: str
    settings: Sequence[str] = tuple(SETTINGS)
    log: bool = False
    zero: bool = False


def panels(score: str) -> list[Panel]:
    """The plots, in rows of two.

    Args:
        score: The score's name in the log.
    """
    collapse = 'collapse_{}'.format
    return [
        Panel(f'validation {score}', score),
        Panel('validation cross-entropy', 'cross_entropy', log=True),
        Panel(
            "cosine of the losses' gradients: classifier",
            'train/grad_cos_classifier',
            BOTH,
            zero=True,
        ),
        Panel('the same: all other weights', 'train/grad_cos_rest', BOTH, zero=True),
        Panel('variability within / between classes', collapse('within'), log=True),
        Panel('class means: angles off a simplex frame', collapse('mean_angles')),
        Panel('classifier rows: the same', collapse('row_angles')),
        Panel('rows and means: distance (0 aligned)', collapse('alignment')),
    ]


def draw(runs: Runs, score: str, title: str, unit: str) -> Figure:
    """Draw the figure.

    Args:
        runs: The logged curves; a setting without runs is left out.
        score: The score's name in the log.
        title: The figure's title.
        unit: The unit of the steps at which validations ran.

    Returns:
        The figure: means over seeds, with bands from the lowest to the highest.
    """
    plots = panels(score)
    figure, axes = plt.subplots(
        len(plots) // 2, 2, figsize=(7.6, 8.4), dpi=95, sharex=True
    )
    for panel, place in zip(plots, axes.flat, strict=True):
        _draw_panel(place, panel, runs)
    for place in axes[-1]:
        place.set_xlabel(unit, fontsize=9)
        place.xaxis.set_major_locator(MaxNLocator(integer=True))
    counts = {name: len(each) for name, each in runs.items() if each}
    lines = [plt.Line2D([], [], color=LOOKS[n][0], ls=LOOKS[n][1]) for n in counts]
    figure.suptitle(title, x=0.012, y=0.992, ha='left', fontsize=10.5)
    figure.legend(
        lines,
        [SETTINGS[name] for name in counts],
        loc='upper left',
        bbox_to_anchor=(0.0, 0.972),
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    figure.tight_layout(rect=(0, 0, 1, 0.955), h_pad=0.9)
    return figure


def _draw_panel(axes: Axes, panel: Panel, runs: Runs) -> None:
    plain(axes, panel.title)
    if panel.zero:
        axes.axhline(0, color='black', linewidth=0.8)
    for name in panel.settings:
        points = band(each.get(panel.key, {}) for each in runs[name])
        if not points:
            continue
        colour, dashes = LOOKS[name]
        steps, means, lows, highs = zip(*points, strict=True)
        axes.plot(steps, means, color=colour, linestyle=dashes, linewidth=1.5)
        axes.fill_between(steps, lows, highs, color=colour, alpha=0.18, linewidth=0)
    if panel.log:
        axes.set_yscale('log')
        bottom, top = axes.get_ylim()
        digits = (1.0,) if top > 100 * bottom else (1.0, 2.0, 5.0)
        axes.yaxis.set_major_locator(LogLocator(subs=digits))
        axes.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if not axes.lines[panel.zero :]:
        axes.text(0.5, 0.5, 'not logged', transform=axes.transAxes, ha='center')
