"""Names in messages: the one that was probably meant, and the first few of many."""

import difflib
from collections.abc import Iterable

LIKELY = 0.85
"""How near two names are of which one is most likely the other, misspelt."""


def did_you_mean(name: object, known: Iterable[str], nearness: float = 0.6) -> str:
    """Ask for the known name that is nearest, `` Did you mean 'x'?``, if one is near.

    Args:
        name: What was written.
        known: What could have been.
        nearness: From 0, any name at all, to 1, the very name.
    """
    near = difflib.get_close_matches(str(name), list(known), 1, nearness)
    return f' Did you mean {near[0]!r}?' if near else ''


def nearest_and_known(name: object, known: Iterable[str]) -> str:
    """The same, and then all names that are known, in their order."""
    known = list(known)
    return f'{did_you_mean(name, known)} Known: {", ".join(known)}.'


def listed(names: Iterable[str], count: int = 5, between: str = ', ') -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    rest = len(names) - count
    shown = between.join(names[:count]) or 'none'
    return f'{shown} and {rest} more' if rest > 0 else shown
