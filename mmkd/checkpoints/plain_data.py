"""Reducing what a pickle holds to data: numbers, strings, tensors, containers.

A pickle builds NumPy's arrays by handing its own words to NumPy, which believes
them: a type that is said to hold Python objects makes it follow pointers that
are numbers of the file. So both of mmkd's readers give pickles the classes of
this module in the place of NumPy's. They keep the words, and
:func:`as_data` makes arrays of plain types from them.
"""

import re
from collections import OrderedDict
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer
from torch import Tensor
from torch.nn import Parameter

PLAIN = re.compile(r'[biufcSU]\d+')
"""The types that are read: numbers and text, named by kind and size."""


class NotDataError(ValueError):
    """A pickle asks for what is more than numbers and text."""


class PickledType:
    """What a pickle says of a NumPy type, kept until it is looked at.

    Args:
        code: Kind and size, such as ``f4``.
        _: What else NumPy's constructor gets.
    """

    def __init__(self, code: str, *_: object) -> None:
        self._code = code
        self._order: Any = '='

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order, and refuse a type made of other types."""
        _, self._order, *parts = state[:5]
        if any(part is not None for part in parts):
            raise NotDataError(f'a compound type ({self._code}) is not read')

    def value(self) -> np.dtype:
        """The type.

        Raises:
            NotDataError: If it is not one of numbers or text.
        """
        if not PLAIN.fullmatch(self._code) or self._order not in ('<', '>', '=', '|'):
            raise NotDataError(f'arrays of type {self._code} are not read')
        return np.dtype(self._code).newbyteorder(self._order)


class PickledArray:
    """What a pickle says of a NumPy array, kept until it is looked at.

    Args:
        _: What NumPy's constructor gets; the pickle says it once more later.
    """

    def __init__(self, *_: object) -> None:
        self._state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Keep shape, type, order and content."""
        self._state = state

    def value(self) -> np.ndarray:
        """The array.

        Raises:
            ValueError: If its parts do not fit each other.
            NotDataError: If its type is not one of numbers or text.
        """
        *_, shape, kind, by_columns, content = self._state
        return from_buffer(content, kind, shape, 'F' if by_columns else 'C')


def from_buffer(
    content: Any, kind: PickledType, shape: tuple[int, ...], order: Any
) -> np.ndarray:
    """Make an array of bytes; the other name by which pickles do."""
    if isinstance(content, str):
        content = content.encode('latin1')
    made = np.ndarray(shape, kind.value(), bytearray(memoryview(content)), order=order)
    if made.nbytes != len(content):
        raise ValueError(f'an array of {made.nbytes} bytes has {len(content)}')
    return made


def scalar(kind: PickledType, content: Any) -> Any:
    """Make a number or text of NumPy's from bytes."""
    return from_buffer(content, kind, (), 'C')[()]


NUMPY = {
    'numpy.ndarray': PickledArray,
    'numpy.dtype': PickledType,
    # NumPy 1 and 2 name the package of their compiled functions so.
    **{
        f'numpy.{core}.{name}': stand_in
        for core in ('core', '_core')
        for name, stand_in in (
            ('multiarray._reconstruct', PickledArray),
            ('multiarray.scalar', scalar),
            ('numeric._frombuffer', from_buffer),
        )
    },
}
"""What pickles call NumPy's parts, and what they get."""


def as_data(value: Any) -> Any:
    """Reduce what was unpickled to data.

    Containers stay the ones they are. Tensors, log histories and ordered dicts
    lose what was hung on them, which could hide their own methods.

    Args:
        value: Anything; changed in place.

    Raises:
        ValueError: If an array is none.
    """
    return _reduced(value, {})


def _reduced(value: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    if id(value) in done:
        return done[id(value)][1]
    # What is in the memo stays alive: nothing else gets its id.
    done[id(value)] = value, value
    found = value
    if isinstance(value, (PickledArray, PickledType)):
        found = value.value()
    elif isinstance(value, HistoryBuffer):
        found = _fresh_history(_reduced(vars(value), done))
    elif type(value) in (Tensor, Parameter):
        if vars(value):
            found = Tensor.detach(value)
    elif isinstance(value, dict):
        _strip(value)
        for key in value:
            value[key] = _reduced(value[key], done)
    elif isinstance(value, list):
        value[:] = [_reduced(item, done) for item in value]
    elif type(value) in (tuple, set):
        found = type(value)(_reduced(item, done) for item in value)
    elif getattr(value, '__dict__', None) and not isinstance(value, type):
        # Of a class that the user allows.
        _reduced(vars(value), done)
    done[id(value)] = value, found
    return found


def _strip(value: dict[Any, Any]) -> None:
    if isinstance(value, OrderedDict):
        metadata = vars(value).get('_metadata')
        vars(value).clear()
        if isinstance(metadata, dict):
            # Versions of modules, which PyTorch keeps with a state dict.
            vars(value)['_metadata'] = as_data(metadata)


def _fresh_history(state: dict[str, Any]) -> HistoryBuffer:
    history = HistoryBuffer(max_length=int(state['max_length']))
    for name in ('_log_history', '_count_history'):
        values = np.asarray(state[name])
        if values.ndim != 1 or values.dtype.kind not in 'biuf':
            raise NotDataError(f'a log history is not made of numbers: {values.dtype}')
        setattr(history, name, values)
    return history
