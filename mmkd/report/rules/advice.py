"""A sentence of advice."""

from typing import Literal, NamedTuple

NAMES = {
    'accuracy/top1': 'top-1 accuracy',
    'accuracy/top5': 'top-5 accuracy',
    'multi-label/mAP': 'mAP',
}
"""Names of scores in a sentence, where they differ from the logged names."""


class Advice(NamedTuple):
    """What to do, and the numbers behind it.

    Attributes:
        kind: ``'good'`` news, ``'bad'`` news, or something to ``'do'``.
        group: The group that it is about; empty for all.
        text: The sentence.
    """

    kind: Literal['good', 'bad', 'do']
    group: str
    text: str


def score_name(key: str) -> str:
    """The name of a score in a sentence."""
    return NAMES.get(key, key)
