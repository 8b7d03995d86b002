"""The word that was probably meant, for error messages."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Ask for the known name that is nearest, `` Did you mean 'x'?``, if one is near.

    Args:
        name: What was written.
        known: What could have been.
    """
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f' Did you mean {near[0]!r}?' if near else ''


def nearest_and_known(name: object, known: Iterable[str]) -> str:
    """The same, and then all names that are known, in their order."""
    known = list(known)
    return f'{did_you_mean(name, known)} Known: {", ".join(known)}.'
