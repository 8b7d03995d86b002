"""Images with their label maps, and where networks differ."""

from typing import NamedTuple

import cv2
import numpy as np

from mmkd.report.seen.classes import signed
from mmkd.report.seen.look import Look, changes
from mmkd.report.seen.pictures import class_map, data_uri, marked
from mmkd.spread import number


class Tile(NamedTuple):
    """A picture with its caption.

    Attributes:
        picture: Its data URI.
        caption: What it shows.
    """

    picture: str
    caption: str


class Panel(NamedTuple):
    """One image.

    Attributes:
        title: The effect of distillation on it.
        tiles: Image, ground truth, predictions, differences.
    """

    title: str
    tiles: list[Tile]


class Colour(NamedTuple):
    """A class in the maps.

    Attributes:
        name: The class.
        rgb: Its colour in CSS.
    """

    name: str
    rgb: str


def panels(look: Look, names: list[str]) -> tuple[list[Panel], list[Colour]]:
    """The images that distillation helped and hurt most, and the median one.

    If nothing is compared, they are those on which the first group is most and least
    accurate.

    Args:
        look: The predictions on pixels.
        names: Names of the classes.

    Returns:
        The images, and the classes that occur in them.
    """
    assert look.sample is not None
    assert look.task is not None
    pairs = look.pairs()
    if pairs:
        order_by = changes(pairs, lambda each: np.array(each.first.right))
    else:
        order_by = np.array(look.students[0].first.right)
    palette = look.sample.palette(len(names))
    shown, there = [], set()
    for place in chosen(order_by):
        share = 100 * float(order_by[place])
        title = f'{signed(share)} points' if pairs else f'{number(share)} %'
        labels = look.sample.labels(place, look.task)
        there |= set(np.unique(labels).tolist())
        tiles = _tiles(look, place, labels, palette)
        shown.append(Panel(f'Correct pixels: {title}', tiles))
    colours = [
        Colour(name, f'rgb({", ".join(map(str, colour))})')
        for number, (name, colour) in enumerate(zip(names, palette, strict=True))
        if number in there
    ]
    return shown, colours


def chosen(order_by: np.ndarray, ends: int = 2) -> list[int]:
    """The indices of the highest values, the median one, and the lowest.

    Args:
        order_by: Values, NaN for those to leave out.
        ends: How many at each end.
    """
    order = [int(p) for p in np.argsort(-order_by) if not np.isnan(order_by[p])]
    if len(order) <= 2 * ends + 1:
        return order
    return [*order[:ends], order[len(order) // 2], *order[-ends:]]


def _tiles(
    look: Look, place: int, labels: np.ndarray, palette: np.ndarray
) -> list[Tile]:
    assert look.sample is not None
    image = look.sample.image(place)
    height, width = labels.shape
    # Test-time scaling gives the image a different size from its labels.
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    tiles = [
        Tile(data_uri(image), 'image'),
        Tile(class_map(labels, palette), 'ground truth'),
    ]
    for each in look.asked:
        picture = class_map(each.first.predicted[place], palette)
        tiles.append(Tile(picture, each.label))
    right = {
        each.label: (each.first.predicted[place] == labels) | (labels < 0)
        for each in look.asked
    }
    for alone, taught in look.pairs():
        was, now = right[alone.label], right[taught.label]
        picture = marked(image, now & ~was, was & ~now)
        tiles.append(Tile(picture, f'{taught.label}, changed'))
    if not look.pairs():
        own = look.students[0].label
        picture = marked(image, np.zeros_like(right[own]), ~right[own])
        tiles.append(Tile(picture, f'{own}, wrong'))
    return tiles
