"""Unpickling that yields arrays and plain values and can run no code."""

import io
import pickle
from typing import Any

ALLOWED = frozenset(
    {
        ('numpy', 'dtype'),
        ('numpy', 'ndarray'),
        ('_codecs', 'encode'),  # how Python 3 writes bytes for Python 2
        *(
            (f'numpy.{core}.{module}', function)
            for core in ('core', '_core')  # NumPy 1 and 2
            for module, function in (
                ('multiarray', '_reconstruct'),
                ('multiarray', 'scalar'),
                ('numeric', '_frombuffer'),
            )
        ),
    }
)
"""The modules and names that a pickle may ask for."""


class PlainUnpickler(pickle.Unpickler):
    """Refuses every name that NumPy arrays and scalars do not need."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up, as the pickle asks for it.

        Raises:
            pickle.UnpicklingError: If it is not in ``ALLOWED``.
        """
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f'{module}.{name} is not allowed')
        return super().find_class(module, name)


def load_plain_pickle(content: bytes, source: str) -> Any:
    """Unpickle arrays, numbers, strings, bytes, lists, tuples and dicts.

    Text written by Python 2 is read as Latin-1.

    Args:
        content: The pickle.
        source: Where it is from, for the error message.

    Returns:
        What was pickled.

    Raises:
        ValueError: If it is damaged or asks for anything else.
    """
    try:
        return PlainUnpickler(io.BytesIO(content), encoding='latin1').load()
    except MemoryError:
        raise
    except Exception as error:
        # A damaged pickle fails in whatever way its next bytes happen to ask.
        raise ValueError(
            f'{source} is refused: {error}. It must be an undamaged pickle of '
            'NumPy arrays and plain Python values'
        ) from error
