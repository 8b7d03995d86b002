"""Style and output of the figures of the analyses."""

import io
from pathlib import Path

import matplotlib as mpl

mpl.use('Agg')

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE, GREEN = '#0072b2', '#e69f00', '#009e73'
VERMILION, PURPLE, SKY = '#d55e00', '#cc79a7', '#56b4e9'
BROWN, GREY, BLACK, INDIGO = '#8c510a', '#8c8c8c', '#000000', '#332288'
COLOURS = (
    BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BROWN, GREY, BLACK, INDIGO
)  # fmt: skip
"""The colour-blind-safe colours of Okabe and Ito; their yellow, too light for points on
white, is left out, and others are added."""

SHADES = 96
"""Colours per PNG: enough for lines, bands and anti-aliased text."""


def plain(axes: Axes, title: str) -> None:
    """Give axes a left-aligned title, a light grid and no frame."""
    axes.set_title(title, loc='left', fontsize=9.5)
    axes.tick_params(labelsize=8.5)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[['top', 'right']].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Save a figure; a PNG gets few colours, for a fraction of its usual size.

    Args:
        figure: The figure.
        path: The file; Matplotlib handles any suffix other than ``.png``. Missing
            folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != '.png':
        figure.savefig(path)
        return
    drawn = io.BytesIO()
    figure.savefig(drawn, format='png')
    with Image.open(drawn) as image:
        image.convert('RGB').quantize(SHADES, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
