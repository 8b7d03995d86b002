"""Reducing the content of a pickle to data: numbers, strings, tensors, containers.

A pickle builds NumPy arrays by passing its own arguments to NumPy, which trusts
them: a dtype that claims to hold Python objects makes it follow pointers read
from the file. Both of mmkd's readers therefore give pickles the classes of this
module instead of NumPy's. They only store the arguments, from which
:func:`as_data` makes arrays of plain types.
"""

import re
from collections import OrderedDict
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer
from torch import Tensor
from torch.nn import Parameter

PLAIN = re.compile(r'[biufcSU]\d+')
"""The types that are allowed: numbers and text, named by kind and size."""


class NotDataError(ValueError):
    """A pickle asks for more than numbers and text."""


class PickledType:
    """A pickle's description of a NumPy type, stored until it is checked.

    Args:
        code: Kind and size, such as ``f4``.
        _: Further arguments of NumPy's constructor.
    """

    def __init__(self, code: str, *_: object) -> None:
        self._code = code
        self._order: Any = '='

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Store the byte order, and refuse compound types."""
        _, self._order, *parts = state[:5]
        if any(part is not None for part in parts):
            raise NotDataError(f'compound types ({self._code}) are not allowed')

    def value(self) -> np.dtype:
        """The type.

        Raises:
            NotDataError: If it is not a type of numbers or text.
        """
        if not PLAIN.fullmatch(self._code) or self._order not in ('<', '>', '=', '|'):
            raise NotDataError(f'arrays of type {self._code} are not allowed')
        return np.dtype(self._code).newbyteorder(self._order)


class PickledArray:
    """A pickle's description of a NumPy array, stored until it is checked.

    Args:
        _: Arguments of NumPy's constructor; the pickle repeats them later.
    """

    def __init__(self, *_: object) -> None:
        self._state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Store shape, type, order and content."""
        self._state = state

    def value(self) -> np.ndarray:
        """The array.

        Raises:
            ValueError: If its parts do not fit together.
            NotDataError: If its type is not a type of numbers or text.
        """
        *_, shape, kind, by_columns, content = self._state
        return from_buffer(content, kind, shape, 'F' if by_columns else 'C')


def from_buffer(
    content: Any, kind: PickledType, shape: tuple[int, ...], order: Any
) -> np.ndarray:
    """Make an array from bytes, as some pickles do directly."""
    if isinstance(content, str):
        content = content.encode('latin1')
    made = np.ndarray(shape, kind.value(), bytearray(memoryview(content)), order=order)
    if made.nbytes != len(content):
        raise ValueError(f'an array needs {made.nbytes} bytes, got {len(content)}')
    return made


def scalar(kind: PickledType, content: Any) -> Any:
    """Make a NumPy number or string from bytes."""
    return from_buffer(content, kind, (), 'C')[()]


NUMPY = {
    'numpy.ndarray': PickledArray,
    'numpy.dtype': PickledType,
    # The package of compiled functions in NumPy 1 and NumPy 2.
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
"""The names of NumPy objects in pickles, and what replaces them."""


def as_data(value: Any) -> Any:
    """Reduce an unpickled object to data.

    Dicts and lists are changed in place. Tensors, log histories and ordered dicts
    lose attributes added to them, which could shadow their own methods.

    Args:
        value: Any object; changed in place.

    Raises:
        ValueError: If an array is invalid.
    """
    return _reduced(value, {})


def _reduced(value: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    if id(value) in done:
        return done[id(value)][1]
    # The memo keeps objects alive, so that no other object gets the same id.
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
        # An instance of a class that the user allows.
        _reduced(vars(value), done)
    done[id(value)] = value, found
    return found


def _strip(value: dict[Any, Any]) -> None:
    if isinstance(value, OrderedDict):
        metadata = vars(value).get('_metadata')
        vars(value).clear()
        if isinstance(metadata, dict):
            # Module versions, which PyTorch stores with a state dict.
            vars(value)['_metadata'] = as_data(metadata)


def _fresh_history(state: dict[str, Any]) -> HistoryBuffer:
    history = HistoryBuffer(max_length=int(state['max_length']))
    for name in ('_log_history', '_count_history'):
        values = np.asarray(state[name])
        if values.ndim != 1 or values.dtype.kind not in 'biuf':
            raise NotDataError(f'a log history must be numbers, got {values.dtype}')
        setattr(history, name, values)
    return history
