"""Names in messages: suggestions for misspelt ones, and shortened lists."""

import difflib
from collections.abc import Iterable

LIKELY = 0.85
"""Similarity above which one name is most likely a misspelling of the other."""


def did_you_mean(name: object, known: Iterable[str], nearness: float = 0.6) -> str:
    """Suggest the closest known name, `` Did you mean 'x'?``, if one is similar.

    Args:
        name: The name found.
        known: The possible names.
        nearness: Minimum similarity, from 0 (any name) to 1 (identical).
    """
    near = difflib.get_close_matches(str(name), list(known), 1, nearness)
    return f' Did you mean {near[0]!r}?' if near else ''


def nearest_and_known(name: object, known: Iterable[str]) -> str:
    """The same, followed by all known names in their order."""
    known = list(known)
    return f'{did_you_mean(name, known)} Known: {", ".join(known)}.'


def listed(names: Iterable[str], count: int = 5, between: str = ', ') -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    rest = len(names) - count
    shown = between.join(names[:count]) or 'none'
    return f'{shown} and {rest} more' if rest > 0 else shown
