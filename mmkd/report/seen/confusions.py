"""Which classes are confused more or less often with distillation."""

from typing import NamedTuple

import cv2
import numpy as np

from mmkd.report.seen.look import Asked, Look, changes
from mmkd.report.seen.pictures import data_uri
from mmkd.spread import number

MOST = 5
"""Maximum number of confusions of each kind."""

EXAMPLES = 4
THUMB = 72
"""Maximum length of an example's longer side, in pixels."""


class Confusion(NamedTuple):
    """A class mistaken for another.

    Attributes:
        label: The class.
        predicted: What it is mistaken for.
        text: How often, without and with distillation.
        pictures: Data URIs of examples.
    """

    label: str
    predicted: str
    text: str
    pictures: list[str]


def confusions(look: Look, names: list[str]) -> dict[str, list[Confusion]]:
    """Confusions that became rarer, or more frequent, with distillation.

    Args:
        look: The predictions on images.
        names: Names of the classes.

    Returns:
        Both kinds, the largest change first; if nothing is compared, the most frequent
        confusions of the first group.
    """
    pairs = look.pairs()
    if not pairs:
        return {'most frequent': _frequent(look, names, look.students[0])}
    change = changes(pairs, _wrong)
    order = np.argsort(change, axis=None, kind='stable')
    places = [np.unravel_index(place, change.shape) for place in order]
    rarer = [(int(i), int(j)) for i, j in places[:MOST] if change[i, j] < 0]
    more = [(int(i), int(j)) for i, j in places[: -MOST - 1 : -1] if change[i, j] > 0]
    return {
        'rarer with distillation': [
            _confusion(look, names, place, rarer=True) for place in rarer
        ],
        'more frequent with distillation': [
            _confusion(look, names, place, rarer=False) for place in more
        ],
    }


def _frequent(look: Look, names: list[str], asked: Asked) -> list[Confusion]:
    assert look.sample is not None
    wrong, found = _wrong(asked), []
    for place in np.argsort(-wrong, axis=None, kind='stable')[:MOST]:
        label, predicted = map(int, np.unravel_index(place, wrong.shape))
        often = float(wrong[label, predicted])
        if often > 0:
            count = int(asked.first.tally.counts[label].sum())
            text = f'{asked.label}, {number(often)} of {count}'
            images = _examples(asked, None, (label, predicted))
            found.append(_shown(look, names, (label, predicted), text, images))
    return found


def _wrong(asked: Asked) -> np.ndarray:
    """How often each class is mistaken for another: ``(K, K)``, mean over networks."""
    counts = np.mean([each.tally.counts.numpy() for each in asked.answers], axis=0)
    wrong = counts[:, :-1].copy()
    np.fill_diagonal(wrong, 0)
    return wrong


def _confusion(
    look: Look, names: list[str], place: tuple[int, int], rarer: bool
) -> Confusion:
    assert look.sample is not None
    pairs = look.pairs()
    was = np.mean([_wrong(alone)[place] for alone, _ in pairs])
    now = np.mean([_wrong(taught)[place] for _, taught in pairs])
    count = int(pairs[0][0].first.tally.counts[place[0]].sum())
    examples: dict[int, None] = {}
    for alone, taught in pairs:
        before, after = (alone, taught) if rarer else (taught, alone)
        examples.update(dict.fromkeys(_examples(before, after, place)))
    text = f'{number(float(was))} without, {number(float(now))} with, of {count}'
    return _shown(look, names, place, text, [*examples])


def _shown(
    look: Look, names: list[str], place: tuple[int, int], text: str, images: list[int]
) -> Confusion:
    assert look.sample is not None
    pictures = [_thumb(look.sample.image(image)) for image in images[:EXAMPLES]]
    return Confusion(names[place[0]], names[place[1]], text, pictures)


def _examples(before: Asked, after: Asked | None, place: tuple[int, int]) -> list[int]:
    """Images that ``before`` confuses this way and ``after`` does not."""
    one, other = before.first, None if after is None else after.first
    return [
        image
        for image, label in enumerate(one.labels)
        if label == place[0]
        and int(one.predicted[image]) == place[1]
        and (other is None or int(other.predicted[image]) != place[1])
    ]


def _thumb(image: np.ndarray) -> str:
    scale = min(1, THUMB / max(image.shape[:2]))
    if scale < 1:
        size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return data_uri(image, 85)
