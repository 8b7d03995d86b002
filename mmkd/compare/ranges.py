"""Settings to try: equally many, over the same ranges, for each method."""

import math
from collections.abc import Mapping, Sequence
from itertools import product

Settings = dict[str, str]
"""Values of settings by their keys, as on the command line."""


def written(settings: Settings) -> str:
    """Settings as they are written on the command line."""
    return ' '.join(map('='.join, settings.items()))


def read_ranges(words: Sequence[str]) -> dict[str, list[str]]:
    """Read ``KEY=VALUE,VALUE,...``.

    Raises:
        ValueError: If a word is not a range, or repeats a value or a key.
    """
    ranges: dict[str, list[str]] = {}
    for word in words:
        key, _, listed = word.partition('=')
        values = [value for value in _apart(listed) if value]
        if not key or len(values) < 2 or len(set(values)) < len(values):
            raise ValueError(
                '--tune takes KEY=VALUE,VALUE,... with two or more different values, '
                f'without spaces, but got {word!r}.'
            )
        if key in ranges:
            raise ValueError(f'--tune names {key} twice: give all its values at once.')
        ranges[key] = values
    return ranges


def _apart(listed: str) -> list[str]:
    """Split at the commas outside brackets, which belong to a value that is a list."""
    values, depth = [''], 0
    for sign in listed:
        depth += (sign in '[(') - (sign in '])')
        if sign == ',' and not depth:
            values.append('')
        else:
            values[-1] += sign
    return values


def settings_to_try(
    own: Mapping[str, Sequence[str]], ranges: Mapping[str, Sequence[str]]
) -> dict[str, list[Settings]]:
    """The settings that each method tries: all combinations of its values.

    A range that belongs to no method is shared by all. A method with fewer settings of
    its own gets more values of the first shared range, within the same limits, so that
    all methods try equally many.

    Args:
        own: By method, the keys of its own ranges.
        ranges: The values by key.

    Raises:
        ValueError: If this is impossible; the message says what would work.
    """
    owned = {key for keys in own.values() for key in keys}
    shared = {key: list(values) for key, values in ranges.items() if key not in owned}
    if not shared:
        raise ValueError(
            f'--tune {" ".join(ranges)}: only methods have these settings, so the '
            'student alone has nothing to choose from. Add a learning rate, such as '
            'optim_wrapper.optimizer.lr=0.05,0.1,0.2.'
        )
    sizes = {
        method: math.prod(len(ranges[key]) for key in keys)
        for method, keys in own.items()
    }
    most = max(sizes.values())
    first, *_ = shared
    found = {}
    for method, keys in own.items():
        if most % sizes[method]:
            raise ValueError(
                f'--tune: {method} has {sizes[method]} settings of its own and another '
                f'method {most}: to try equally many, one number must divide the other.'
            )
        count = len(shared[first]) * most // sizes[method]
        mine = {**shared, first: stretched(first, shared[first], count)}
        mine |= {key: list(ranges[key]) for key in keys}
        found[method] = [
            dict(zip(mine, values, strict=True)) for values in product(*mine.values())
        ]
    return found


def stretched(key: str, values: Sequence[str], count: int) -> list[str]:
    """Spread a number of values over the same range, at equal ratios.

    Args:
        key: The setting's key.
        values: At least two.
        count: How many to return; ``len(values)`` returns the values themselves.

    Raises:
        ValueError: If they are not numbers above 0.
    """
    if count == len(values):
        return list(values)
    try:
        numbers = {float(value): value for value in values}
    except ValueError:
        numbers = {0.0: ''}
    low, high = min(numbers), max(numbers)
    # Between whole numbers, sizes or counts, others would not be whole.
    if not 0 < low < math.inf or all(value.isdecimal() for value in values):
        raise ValueError(
            f'--tune {key}={",".join(values)}: the student alone tries {count} values '
            'of this range, so they must be numbers above 0, and not all whole. Put a '
            'learning rate first.'
        )
    step = (high / low) ** (1 / (count - 1))
    between = [f'{low * step**place:.3g}' for place in range(1, count - 1)]
    return [numbers[low], *between, numbers[high]]
