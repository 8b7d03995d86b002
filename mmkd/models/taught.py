"""The class of a student that is also a distiller, and a view without the methods."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import new_class
from typing import Any

from torch import nn


@cache
def taught(distiller: Any, student: Any) -> Any:
    """The class that combines a distiller's and a student's.

    Args:
        distiller: The class whose methods take precedence.
        student: The student's class.

    Returns:
        A class with the student's name, the same one for the same arguments.
        It cannot be imported and pickled by name: ``made_of`` says what it
        is made of.
    """
    names = dict(made_of=(distiller, student), __module__=student.__module__)
    return new_class(
        student.__name__,
        (distiller, student),
        exec_body=lambda body: body.update(names),
    )


def blank(distiller: Any, student: Any) -> Any:
    """An empty instance of that class, for pickle to fill."""
    kind = taught(distiller, student)
    return kind.__new__(kind)


@contextmanager
def student_alone(model: nn.Module) -> Iterator[None]:
    """Remove the methods from a distiller's children inside this context."""
    methods = model._modules.pop('methods')
    try:
        yield
    finally:
        model._modules['methods'] = methods
