"""Check values against type hints, and describe type hints in words."""

import types
import typing
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

SIMPLE: dict[Any, tuple[Any, str]] = {
    bool: (bool, 'True or False'),
    float: (Real, 'a number'),
    int: (Integral, 'an integer'),
    str: (str, 'a string'),
    type(None): (type(None), 'None'),
}
"""Type hints, with the type a value must have and a description of it."""


class NoText:
    """Stands for the missing hint of an argument whose default is a number."""


class NoWord:
    """Stands for the missing hint of an argument whose default is a bool."""


def fits(value: Any, hint: Any) -> bool:
    """Whether a config's value fits a type hint, as far as that can be checked.

    Lists and tuples are interchangeable, and integers count as floats.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if hint in SIMPLE:
        is_bool = isinstance(value, bool)
        return isinstance(value, SIMPLE[hint][0]) and is_bool <= (hint is bool)
    if hint is NoText:
        # Some accept 'inf'.
        return not isinstance(value, str) or _says_a_number(value)
    if hint is NoWord:
        return not isinstance(value, str)
    container = _container(origin or hint)
    if container is Sequence:
        members = inner[:1] if len(inner) == 1 or inner[1:] == (...,) else ()
        return isinstance(value, (list, tuple)) and all(
            fits(one, member) for one in value for member in members
        )
    if container is Mapping:
        return isinstance(value, Mapping)
    return True


def described(hint: Any) -> str:
    """A type hint in words."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return ' or '.join(described(one) for one in inner)
    if origin is typing.Literal:
        return f'one of {", ".join(map(repr, inner))}'
    hint = {NoText: float, NoWord: bool}.get(hint, hint)
    if hint in SIMPLE:
        return SIMPLE[hint][1]
    container = _container(origin or hint)
    if container is Sequence:
        of = f', each {described(inner[0])}' if inner and inner[0] in SIMPLE else ''
        return f'a list{of}'
    return 'a dict' if container is Mapping else getattr(hint, '__name__', str(hint))


def _container(kind: Any) -> Any:
    """The kind of container that a hint asks for: a list, a dict or neither."""
    if kind in (list, tuple, Sequence):
        return Sequence
    return Mapping if kind in (dict, Mapping) else None


def _says_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
