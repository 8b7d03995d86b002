"""The packages that deployment needs in addition to those of mmkd."""

import importlib
from typing import Any

INSTALL = 'pip install -r requirements/deploy.txt'
NEEDED = ('onnx', 'onnxruntime', 'onnxscript')


def needed(name: str) -> Any:
    """Import an optional package.

    Args:
        name: The package, or a module of it.

    Raises:
        ImportError: If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition('.')[0]
        raise ImportError(
            f'{package} cannot be imported ({error}). Deployment needs '
            f'{", ".join(NEEDED)}: {INSTALL}'
        ) from error
