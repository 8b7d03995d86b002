"""Unpickling that yields arrays and plain values and cannot run code."""

import io
import pickle
from typing import Any

from mmkd.checkpoints.plain_data import NUMPY, as_data


class PlainUnpickler(pickle.Unpickler):
    """Refuses every name that NumPy arrays and scalars do not need."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up, as the pickle asks for it.

        Raises:
            pickle.UnpicklingError: If it is not one that NumPy arrays need.
        """
        if (module, name) == ('_codecs', 'encode'):
            # How Python 3 writes bytes for Python 2.
            return super().find_class(module, name)
        try:
            return NUMPY[f'{module}.{name}']
        except KeyError:
            raise pickle.UnpicklingError(f'{module}.{name} is not allowed') from None


def load_plain_pickle(content: bytes, source: str) -> Any:
    """Unpickle arrays, numbers, strings, bytes, lists, tuples and dicts.

    Text written by Python 2 is read as Latin-1.

    Args:
        content: The pickle.
        source: Where it comes from, for the error message.

    Returns:
        The unpickled object.

    Raises:
        ValueError: If it is damaged or asks for anything else.
    """
    try:
        return as_data(PlainUnpickler(io.BytesIO(content), encoding='latin1').load())
    except MemoryError:
        raise
    except Exception as error:
        # A damaged pickle can raise any exception.
        raise ValueError(
            f'{source} is refused: {error}. It must be an undamaged pickle of '
            'NumPy arrays and plain Python values'
        ) from error
