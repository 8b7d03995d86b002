"""Finding class names in checkpoints, and comparing them."""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from mmkd.checkpoints.identity import meta_of
from mmkd.nearest import listed

SHOWN = 30
"""The maximum number of class names that a message shows."""

RENAMED = 0.02
"""Share of names that may differ as spellings, if all others match by position."""


def names_in(checkpoint: Mapping[str, Any]) -> list[str] | None:
    """The class names in a checkpoint of MMEngine or its predecessors."""
    meta = meta_of(checkpoint)
    dataset = meta.get('dataset_meta')
    for place in (dataset, meta):
        for key in ('classes', 'CLASSES'):
            names = place.get(key) if isinstance(place, Mapping) else None
            if isinstance(names, (list, tuple)) and names:
                return [str(name) for name in names]
    return None


def names_of(dataset: Any) -> Sequence[Any] | None:
    """The class names of a data set; None if it has none or there is no data set."""
    return (getattr(dataset, 'metainfo', None) or {}).get('classes')


def keys(*lists: Sequence[str]) -> list[list[str]]:
    """Lists of names without case, spaces and punctuation, unless some become equal."""
    plain = [
        [re.sub(r'[\W_]+', '', name).casefold() or name for name in names]
        for names in lists
    ]
    exact = [list(names) for names in lists]
    kept = all(
        len(set(a)) == len(set(b)) for a, b in zip(plain, exact, strict=True)
    )
    return plain if kept else exact


def places_of(student: Sequence[str], teacher: Sequence[str]) -> list[int] | None:
    """The teacher's index of each of the student's classes; None for the same order.

    Args:
        student: The names of the student's classes.
        teacher: The names of the teacher's.

    Raises:
        ValueError: If the classes differ; the message shows both lists.
    """
    own, known = keys(student, teacher)
    if own == known:
        return None
    if sorted(own) == sorted(known) and len(set(own)) == len(own):
        return [known.index(name) for name in own]
    changed = renamed(own, known)
    if changed:
        pairs = ', '.join(f'{student[i]} / {teacher[i]}' for i in changed)
        print_log(
            f'These class names differ between the training set and the '
            f"teacher's checkpoint, but are assumed to be the same: {pairs}.",
            logger='current',
            level=logging.WARNING,
        )
        return None
    counts, wanted = Counter(known), {*own}
    twice = [teacher[known.index(key)] for key in wanted if counts[key] > 1]
    if twice and wanted <= {*known}:
        advice = (
            f'The teacher has several classes of one name ({shown(sorted(twice))}): '
            'set teacher=dict(classes=[...]) to its channel numbers in the '
            "order of the training set's classes."
        )
    elif wanted <= {*known}:
        names = [teacher[known.index(name)] for name in own]
        advice = (
            f"The training set's are among them: teacher=dict(classes={names}) "
            'compares only their channels.'
        )
    else:
        advice = (
            'Pass a teacher with the same classes. If only their names differ, '
            "set teacher=dict(classes='same') for the same order, or to a list of "
            "the training set's names in the order of the teacher's channels."
        )
    raise ValueError(f'{both(student, teacher)} {advice}')


def renamed(own: Sequence[str], other: Sequence[str]) -> list[int]:
    """Positions of a few names that differ only in spelling; empty if any is unlike.

    Args:
        own: Names as returned by :func:`keys`.
        other: The names of another list.
    """
    if len(own) != len(other):
        return []
    changed = [i for i, name in enumerate(own) if name != other[i]]
    apart = {own[i] for i in changed}.isdisjoint(other)
    return changed if apart and len(changed) <= RENAMED * len(own) else []


def both(student: Sequence[str], teacher: Sequence[str]) -> str:
    """Both lists, in sentences."""
    return (
        f"the teacher's classes are not the training set's. Training set: "
        f'{shown(student)}. Teacher: {shown(teacher)}.'
    )


def shown(names: Sequence[str]) -> str:
    """A list of names, truncated if it is long."""
    return listed(names, SHOWN)
