"""A sentence of advice."""

from typing import Literal, NamedTuple

NAMES = {
    'accuracy/top1': 'top-1 accuracy',
    'accuracy/top5': 'top-5 accuracy',
    'multi-label/mAP': 'mAP',
}
"""What scores are called in a sentence, where validation calls them otherwise."""


class Advice(NamedTuple):
    """What to do, and the numbers that it follows from.

    Attributes:
        kind: ``'good'`` news, ``'bad'`` news, or what is to ``'do'``.
        group: Which runs it is about; empty for all.
        text: The sentence.
    """

    kind: Literal['good', 'bad', 'do']
    group: str
    text: str


def score_name(key: str) -> str:
    """What a score is called in a sentence."""
    return NAMES.get(key, key)
