"""The class of a student that is a distiller too, and the student seen alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import new_class
from typing import Any

from torch import nn


@cache
def taught(distiller: Any, student: Any) -> Any:
    """The class made of a distiller's and a student's.

    Args:
        distiller: The class whose methods go before the student's.
        student: The student's class.

    Returns:
        A class of the student's name, one and the same for the same arguments.
        It has no address of its own to be pickled by: ``made_of`` tells what it
        is made of.
    """
    names = dict(made_of=(distiller, student), __module__=student.__module__)
    return new_class(
        student.__name__,
        (distiller, student),
        exec_body=lambda body: body.update(names),
    )


def blank(distiller: Any, student: Any) -> Any:
    """An instance of that class without anything in it, as pickle fills them."""
    kind = taught(distiller, student)
    return kind.__new__(kind)


@contextmanager
def student_alone(model: nn.Module) -> Iterator[None]:
    """Let a distiller have no child but its student's inside this context."""
    methods = model._modules.pop('methods')
    try:
        yield
    finally:
        model._modules['methods'] = methods
