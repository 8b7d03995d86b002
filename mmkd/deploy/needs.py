"""The packages that deployment takes beside those of mmkd."""

import importlib
from typing import Any

INSTALL = 'pip install -r requirements/deploy.txt'
NEEDED = ('onnx', 'onnxruntime', 'onnxscript')


def needed(name: str) -> Any:
    """Import a package that not everybody has.

    Args:
        name: The package, or a module of it.

    Raises:
        ImportError: If it is not installed; the message says how it is.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition('.')[0]
        raise ImportError(
            f'{package} cannot be imported ({error}). Deployment needs '
            f'{", ".join(NEEDED)}: {INSTALL}'
        ) from error
